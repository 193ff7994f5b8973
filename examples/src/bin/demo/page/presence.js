// Who comes and goes without a word, and how long we were away ourselves: notes for the conversation.

import { client, transportLabel } from "./connection.js";
import { addNote } from "./conversation.js";
import { duration } from "./reasons.js";

const GRACE = 1_500; // ms for a goodbye, or a node's members, to come after the list without somebody
let present = null; // the names of the last list; none before the first
const leaving = new Set(); // who has said goodbye
const vanished = new Set(); // who is said to be gone
const timers = new Set(); // of those who may be said to be gone
let session = null; // in which we were connected last, since we are in this room
let lostAt = null; // when the server was last heard of, while we are not connected

/** Begins anew, in another room or in none. */
export function beginPresence() {
  const { state, clientId } = client.status;
  session = state === "connected" ? clientId : null;
  present = lostAt = null;
  leaving.clear();
  vanished.clear();
  timers.forEach((timer) => clearTimeout(timer));
  timers.clear();
}

/** Takes what somebody says of coming or going. */
export function hearMembership(user, membership) {
  if (membership === "leave") leaving.add(user);
  else [leaving, vanished].forEach((names) => names.delete(user));
}

/** Takes the list of who is in the room, whose name is `ownName` among us. */
export function hearMembers(names, ownName) {
  const gone = (present ?? []).filter((name) => !names.includes(name) && name !== ownName);
  present = names;
  if (gone.length) {
    const timer = setTimeout(() => {
      timers.delete(timer);
      gone.forEach(tellOfVanished);
    }, GRACE);
    timers.add(timer);
  }
  for (const name of names) if (vanished.delete(name)) addNote(`${name} is here again`);
}

function tellOfVanished(name) {
  if (!present || present.includes(name) || vanished.has(name) || leaving.delete(name)) return;
  vanished.add(name);
  addNote(`${name} is gone`);
}

function followConnection() {
  const { state, clientId } = client.status;
  if (state !== "connected") {
    if (session) lostAt ??= client.heardAt;
    return;
  }
  if (lostAt !== null) tellOfReturn(Date.now() - lostAt, clientId !== session);
  [session, lostAt] = [clientId, null];
}

/** In the same session the server has kept for us what was said. */
function tellOfReturn(away, isOther) {
  if (away < 1_000) return addNote(`Connected again over ${transportLabel(client.status.transport)}`);
  const missing = isOther ? "; what was said meanwhile may be missing" : "";
  addNote(`Connected again after ${duration(away)}${missing}`);
}

client.addEventListener("status", followConnection);
