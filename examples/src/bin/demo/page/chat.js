// The chat: the room we are in, the form that joins it, and what we say and hear there.

import { client } from "./connection.js";
import { addEntry, addNote, clearConversation } from "./conversation.js";
import { byId, show } from "./dom.js";
import { clearMembers, recipients, showMembers, showRecipients } from "./members.js";
import { beginPresence, hearMembers, hearMembership } from "./presence.js";
import { Unsent } from "./reasons.js";
import { forgetSaying, hearSaying, keepSaying } from "./sayings.js";
import { recall, remember } from "./tab.js";

const ROOM = /^[A-Za-z0-9_.~-]+$/;
let chat = null; // {user, room, isAnnounced}
let unconfirmed = null; // what we have said whose text is in the field again

/** The name we chat under, if we are in a room. */
export function ownName() {
  return chat?.user;
}

// In and out of the room. Every new session enters it again.

function join(user, room) {
  if (chat?.room === room) return;
  leave();
  chat = { user, room, isAnnounced: false };
  clearConversation();
  beginPresence();
  client.batch(() => {
    client.subscribe(`/chat/${room}`, onChat).catch(showJoinError);
    client.subscribe(`/members/${room}`, onMembers).catch(showJoinError);
    if (client.status.clientId) enter();
  });
  showRoom();
  remember("user", user);
  remember("room", room);
  byId("message").focus();
}

/** Tells the server who we are, and the room too, unless it knows. */
function enter() {
  const { user, room, isAnnounced } = chat;
  const channel = `/chat/${room}`;
  client.batch(() => {
    client.publish("/service/members", { user, room: channel }).catch(showJoinError);
    if (isAnnounced) return;
    const joined = { user, membership: "join", chat: `${user} has joined` };
    client.publish(channel, joined).catch(showJoinError);
    chat.isAnnounced = true;
  });
}

function leave() {
  if (!chat) return;
  const { room } = chat;
  client.batch(() => {
    announceLeave();
    client.unsubscribe(`/chat/${room}`, onChat).catch(() => {});
    client.unsubscribe(`/members/${room}`, onMembers).catch(() => {});
  });
  addNote(`You have left ${room}`);
  chat = null;
  beginPresence();
  clearMembers();
  showRoom();
}

/** Leaves the room as the others see it; the next session joins it anew. */
export function suspend() {
  if (!chat) return;
  if (client.status.clientId) announceLeave();
  chat.isAnnounced = false;
}

function announceLeave() {
  const { user, room } = chat;
  const left = { user, membership: "leave", chat: `${user} has left` };
  client.publish(`/chat/${room}`, left).catch(() => {});
}

function showRoom() {
  byId("room-title").textContent = chat ? chat.room : "No room yet";
  byId("room-channel").textContent = chat ? `/chat/${chat.room}` : "";
  document.title = chat ? `${chat.room} – Bayeux demo` : "Bayeux demo";
  byId("composer-fields").disabled = !chat;
  byId("user").disabled = Boolean(chat);
  byId("leave").hidden = !chat;
  for (const button of document.querySelectorAll("#rooms button")) {
    button.setAttribute("aria-current", String(button.dataset.room === chat?.room));
  }
  showJoin();
  showRecipients();
}

client.addEventListener("session", () => chat && enter());

// The form: a name and a room, typed or picked.

function showJoin() {
  byId("join").hidden = Boolean(chat) && byId("room").value.trim() === chat.room;
  byId("join").textContent = chat ? "Switch" : "Join";
}

function tryToJoin() {
  const user = byId("user").value.trim();
  const room = byId("room").value.trim();
  if (!user || user.includes(",")) return refuse("user", "Give a name, without commas.");
  if (!ROOM.test(room)) return refuse("room", "A room is letters, digits and - _ . ~");
  refuse(null);
  join(user, room);
}

function refuse(field, text) {
  show(byId("join-error"), text);
  for (const id of ["user", "room"]) byId(id).setAttribute("aria-invalid", String(id === field));
  if (field) byId(field).focus();
}

byId("join-form").addEventListener("submit", (event) => {
  event.preventDefault();
  tryToJoin();
});
byId("room").addEventListener("input", showJoin);
byId("leave").addEventListener("click", () => {
  leave();
  byId("room").focus();
});
byId("rooms").addEventListener("click", ({ target }) => {
  const { room } = target.dataset;
  if (!room) return;
  byId("room").value = room;
  tryToJoin();
});

// What we say and hear.

function sendMessage() {
  const text = byId("message").value;
  if (!chat || !text.trim()) return;
  const saying = keepSaying(text, recipients());
  byId("message").value = "";
  unconfirmed = null;
  show(byId("send-error"));
  send(saying).then(
    () => confirm(saying),
    (error) => saying.isHeard || takeBack(saying, error),
  );
}

async function send({ text, peers }) {
  const { user, room } = chat;
  const channel = `/chat/${room}`;
  if (!peers.length) return client.publish(channel, { user, chat: text });
  const message = { room: channel, user, chat: text, peer: peers.join() };
  const { missing } = await client.remoteCall("privatechat", message);
  if (missing?.length) addNote(`Not delivered to ${missing.join(", ")}: nobody of that name is in ${room}`);
}

/** Gives the text back that was not sent, or that nobody has confirmed; beside another one it is only told. */
function takeBack(saying, error) {
  const isLost = error instanceof Unsent || error.reply;
  // Nothing that comes later can be it.
  if (isLost) forgetSaying(saying);
  const what = isLost ? "Not sent" : "Not confirmed; it may have arrived";
  if (byId("message").value) return addNote(`${what}: “${saying.text}”`);
  byId("message").value = saying.text;
  unconfirmed = saying;
  show(byId("send-error"), `${what}: ${error.message}.`);
}

/** What we have said has arrived, perhaps later than we have waited. */
function confirm(saying) {
  if (unconfirmed !== saying) return;
  unconfirmed = null;
  if (byId("message").value === saying.text) byId("message").value = "";
  show(byId("send-error"));
}

/** What fails for want of a connection is done again in the next session. */
function showJoinError(error) {
  if (error.reply) show(byId("send-error"), `You cannot join: ${error.message}.`);
}

function onChat({ data }) {
  const { user, chat: text, membership } = data;
  if (membership) {
    hearMembership(user, membership);
    return addEntry({ kind: "membership", user, text });
  }
  const isPrivate = data.scope === "private";
  const saying = user === chat?.user ? hearSaying(text, isPrivate) : undefined;
  const peers = saying?.peers.join(", ");
  const scope = isPrivate && (peers ? `private, to ${peers}` : "private");
  addEntry({ kind: isPrivate ? "private" : "chat", user, text, scope });
  if (saying) confirm(saying);
}

function onMembers({ data }) {
  const names = data.map(String);
  hearMembers(names, chat?.user);
  showMembers(names, chat?.user);
}

byId("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  sendMessage();
});
byId("message").addEventListener("input", () => show(byId("send-error")));

for (const id of ["user", "room"]) byId(id).value = recall(id) ?? byId(id).value;
showRoom();
