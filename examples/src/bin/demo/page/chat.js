// The chat: the room we are in, the form that joins it, and what we say and hear there.

import { chosenTransport, client, transportLabel } from "./connection.js";
import { addEntry, addNote, clearConversation } from "./conversation.js";
import { byId, show } from "./dom.js";
import { clearMembers, recipients, showMembers, showRecipients } from "./members.js";

const ROOM = /^[A-Za-z0-9_.~-]+$/;
const peersByText = new Map(); // of our private messages, to show for whom they were
let chat = null; // {user, room, isAnnounced}

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
  client.batch(() => {
    client.subscribe(`/chat/${room}`, onChat).catch(showSendError);
    client.subscribe(`/members/${room}`, onMembers).catch(showSendError);
    if (client.status.clientId) enter();
  });
  showRoom();
  remember({ user, room });
  byId("message").focus();
}

/** Tells the server who we are, and the room too, unless it knows. */
function enter() {
  const { user, room, isAnnounced } = chat;
  const channel = `/chat/${room}`;
  client.batch(() => {
    client.publish("/service/members", { user, room: channel }).catch(showSendError);
    if (isAnnounced) return addNote(`Connected again: ${transportLabel(chosenTransport())}`);
    const joined = { user, membership: "join", chat: `${user} has joined` };
    client.publish(channel, joined).catch(showSendError);
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

/** Keeps what was typed for the next load of this tab; a browser may forbid it. */
function remember(fields) {
  try {
    for (const [id, value] of Object.entries(fields)) sessionStorage.setItem(id, value);
  } catch {}
}

function recall() {
  try {
    for (const id of ["user", "room"]) byId(id).value = sessionStorage.getItem(id) ?? byId(id).value;
  } catch {}
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
  const { user, room } = chat;
  const peers = recipients();
  const channel = `/chat/${room}`;
  byId("message").value = "";
  show(byId("send-error"));
  if (peers.length) peersByText.set(text, peers.join(", "));
  const sent = peers.length
    ? client.publish("/service/privatechat", { room: channel, user, chat: text, peer: peers.join() })
    : client.publish(channel, { user, chat: text });
  sent.catch((error) => {
    byId("message").value ||= text;
    showSendError(error);
  });
}

function showSendError(error) {
  show(byId("send-error"), `Not sent: ${error.message}.`);
}

function onChat({ data }) {
  if (data.membership) return addEntry({ kind: "membership", user: data.user, text: data.chat });
  const isPrivate = data.scope === "private";
  const peers = data.user === chat?.user && peersByText.get(data.chat);
  const scope = isPrivate && (peers ? `private, to ${peers}` : "private");
  addEntry({ kind: isPrivate ? "private" : "chat", user: data.user, text: data.chat, scope });
}

function onMembers({ data }) {
  showMembers(data.map(String), chat?.user);
}

byId("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  sendMessage();
});
byId("message").addEventListener("input", () => show(byId("send-error")));

recall();
showRoom();
