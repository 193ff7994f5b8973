// The demo page: binds the connection bar, the chat, the echo call, the lazy channel and the
// counters to one Bayeux session. Whatever the server sends is shown as text, never as markup.

import { Bayeux } from "./bayeux.js";

const byId = (id) => document.getElementById(id);
const client = new Bayeux(new URL("/cometd", location.href));

// The connection: one switch for the transport, one button, one light.

const STATES = {
  connecting: "Connecting",
  connected: "Connected",
  reconnecting: "Reconnecting",
  disconnected: "Disconnected",
};
const LABELS = {
  websocket: "WebSocket",
  "long-polling": "Long-polling",
  "callback-polling": "Callback-polling",
};
let switching = Promise.resolve();

function chosenTransport() {
  return document.querySelector("#transport input:checked").value;
}

/** Leaves the transport in use, if another, and connects over the chosen one. */
function connect() {
  switching = switching.then(async () => {
    if (client.status.transport === chosenTransport()) return;
    await client.disconnect();
    client.handshake(chosenTransport());
  });
}

function showStatus() {
  const { state, transport, clientId, reason, retryIn } = client.status;
  const isOff = state === "disconnected";
  byId("status").dataset.state = state;
  byId("status").textContent = STATES[state];
  byId("status-transport").textContent = isOff ? "no transport" : LABELS[transport];
  byId("client-id").textContent = clientId ?? "";
  byId("client-id").title = clientId ?? "";
  byId("toggle").textContent = isOff ? "Connect" : "Disconnect";
  byId("stat-chart").closest(".stats").classList.toggle("is-stale", state !== "connected");
  const next = retryIn > 0 ? ` Next try in ${retryIn / 1000} s.` : "";
  show(byId("status-reason"), reason && `${capitalised(reason)}.${next}`);
}

client.addEventListener("status", showStatus);
client.addEventListener("session", () => chat && enter());
byId("transport").addEventListener("change", connect);
byId("toggle").addEventListener("click", () => {
  if (client.status.state === "disconnected") connect();
  else client.disconnect();
});

// The room: `chat` is the one we are in. A new session enters it again.

const ROOM = /^[A-Za-z0-9_.~-]+$/;
let chat = null; // {user, room, isAnnounced}

function join(user, room) {
  if (chat?.room === room) return;
  leave();
  chat = { user, room, isAnnounced: false };
  byId("messages").replaceChildren();
  lastEntry = null;
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
    if (isAnnounced) return addNote(`Connected again: ${LABELS[chosenTransport()]}`);
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
  byId("private-to").value = "";
  byId("members").replaceChildren();
  byId("member-count").textContent = "";
  showRoom();
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

// Members, who can be picked as the readers of a private message.

function onMembers({ data }) {
  const names = data.map(String).sort((a, b) => a.localeCompare(b));
  byId("member-count").textContent = String(names.length);
  byId("members").replaceChildren(...names.map(memberItem));
  showRecipients();
}

function memberItem(name) {
  const isSelf = name === chat?.user;
  const body = element(isSelf ? "div" : "button", isSelf ? "self" : "");
  if (!isSelf) {
    body.type = "button";
    body.addEventListener("click", () => toggleRecipient(name));
  }
  const mark = element("span", "mark", isSelf ? "you" : "");
  body.append(avatar(name), element("span", "name", name), mark);
  const item = element("li");
  item.dataset.user = name;
  item.append(body);
  return item;
}

function recipients() {
  const names = byId("private-to").value.split(",").map((name) => name.trim());
  return [...new Set(names.filter(Boolean))];
}

function toggleRecipient(name) {
  const names = recipients();
  const others = names.filter((other) => other !== name);
  byId("private-to").value = (others.length < names.length ? others : [...names, name]).join(", ");
  showRecipients();
  byId("message").focus();
}

function showRecipients() {
  const names = recipients();
  byId("composer").classList.toggle("is-private", names.length > 0);
  byId("private-clear").hidden = names.length === 0;
  byId("send").textContent = names.length ? "Send privately" : "Send";
  for (const button of document.querySelectorAll("#members button")) {
    const isPicked = names.includes(button.parentElement.dataset.user);
    button.setAttribute("aria-pressed", String(isPicked));
    button.querySelector(".mark").textContent = isPicked ? "private" : "";
  }
}

byId("private-to").addEventListener("input", showRecipients);
byId("private-clear").addEventListener("click", () => {
  byId("private-to").value = "";
  showRecipients();
  byId("message").focus();
});

// The conversation.

const LOG_LIMIT = 500; // entries kept
const FOLLOW_WITHIN = 120_000; // ms in which messages of one author stand under one name
const peersByText = new Map(); // of our private messages, to show for whom they were
let lastEntry = null; // {user, kind, scope, at}

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

function addNote(text) {
  addEntry({ kind: "note", user: "", text });
}

function addEntry({ kind, user, text, scope }) {
  const at = Date.now();
  const entry = element("div", "entry");
  entry.dataset.kind = kind;
  entry.dataset.user = user;
  if (kind === "chat" || kind === "private") {
    const head = element("div", "head");
    head.append(avatar(user), element("span", "name", user), clock(at));
    if (scope) head.append(element("span", "scope", scope));
    entry.classList.toggle("follows", follows({ user, kind, scope, at }));
    entry.append(head, element("div", "text", text));
  } else {
    entry.append(element("span", "text", text), clock(at));
  }
  lastEntry = { user, kind, scope, at };
  append(entry);
}

function follows(entry) {
  const isSame = ["user", "kind", "scope"].every((key) => entry[key] === lastEntry?.[key]);
  return isSame && entry.at - lastEntry.at < FOLLOW_WITHIN;
}

/** Adds to the log and keeps its end in view, unless the reader has scrolled away from it. */
function append(entry) {
  const log = byId("messages");
  const wasAtEnd = isAtEnd();
  log.append(entry);
  while (log.childElementCount > LOG_LIMIT) log.firstElementChild.remove();
  if (wasAtEnd) log.scrollTop = log.scrollHeight;
  byId("messages-end").hidden = wasAtEnd;
}

function isAtEnd() {
  const log = byId("messages");
  return log.scrollHeight - log.scrollTop - log.clientHeight < 40;
}

byId("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  sendMessage();
});
byId("message").addEventListener("input", () => show(byId("send-error")));
byId("messages").addEventListener("scroll", () => {
  if (isAtEnd()) byId("messages-end").hidden = true;
});
byId("messages-end").addEventListener("click", () => {
  byId("messages").scrollTop = byId("messages").scrollHeight;
});

// The echo call.

byId("echo-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = byId("echo-input").value;
  const question = byId("echo-fail").checked ? { fail: text } : text;
  await drawn();
  const start = performance.now();
  const elapsed = () => performance.now() - start;
  byId("echo-result").dataset.state = "waiting";
  try {
    const answer = await client.remoteCall("rpc/echo", question);
    showEcho("done", asText(answer), elapsed());
  } catch (error) {
    showEcho("failed", `Failed: ${asText(error.reply?.data ?? error.message)}`, elapsed());
  }
});

/** Waits until the page has drawn the click, so that drawing is not part of the round trip. */
function drawn() {
  return new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
}

function showEcho(state, text, elapsed) {
  const result = byId("echo-result");
  result.dataset.state = state;
  result.querySelector(".text").textContent = text;
  byId("echo-time").textContent = `${elapsed.toFixed(1)} ms`;
}

// The lazy channel. Our own messages are timed by our clock; those of others only appear.

const LAZY_LIMIT = 1_000; // ms, the length of a full bar
const LAZY_ROWS = 6;
const pageId = Math.random().toString(36).slice(2);
const waiting = new Map(); // number → {row, start}
let lastLazy = 0;

byId("lazy-send").addEventListener("click", () => {
  const number = (lastLazy += 1);
  const track = element("span", "track");
  track.append(element("span"));
  const parts = [element("span", "number", `${number}.`), track, element("span", "delay", "waiting")];
  const row = addLazyRow("waiting", ...parts);
  waiting.set(number, { row, start: performance.now() });
  client.publish("/demo/lazy", { page: pageId, number, user: chat?.user }).catch((error) => {
    waiting.delete(number);
    finishLazyRow(row, "failed", 0, "not sent");
    row.title = error.message;
  });
});

function onLazy({ data }) {
  if (data.page !== pageId) return addLazyFromOther(data.user ?? "elsewhere");
  const sent = waiting.get(data.number);
  if (!sent) return;
  waiting.delete(data.number);
  const delay = performance.now() - sent.start;
  finishLazyRow(sent.row, "arrived", delay / LAZY_LIMIT, `${Math.round(delay)} ms`);
}

function addLazyFromOther(user) {
  addLazyRow("other", element("span", "from", `from ${user}`));
}

function addLazyRow(state, ...parts) {
  const log = byId("lazy-log");
  const row = element("li");
  row.dataset.state = state;
  row.append(...parts);
  log.prepend(row);
  while (log.childElementCount > LAZY_ROWS) log.lastElementChild.remove();
  return row;
}

function finishLazyRow(row, state, share, text) {
  row.dataset.state = state;
  row.querySelector(".track span").style.width = `${Math.min(1, share) * 100}%`;
  row.querySelector(".delay").textContent = text;
}

// The counters.

const CHART_SECONDS = 60;
const rates = [];

function onStats({ data }) {
  rates.push(data.messagesPerSecond);
  if (rates.length > CHART_SECONDS) rates.shift();
  byId("stat-sessions").textContent = compact(data.sessions);
  byId("stat-channels").textContent = compact(data.channels);
  byId("stat-rate").textContent = compact(data.messagesPerSecond);
  byId("stat-peak").textContent = `${compact(Math.max(...rates))}/s`;
  byId("stat-uptime").textContent = duration(data.uptime);
  drawChart();
}

/** Draws the rates from the right edge, newest last, the peak at full height. */
function drawChart() {
  const { width, height } = byId("stat-chart").viewBox.baseVal;
  const peak = Math.max(1, ...rates);
  const points = rates.map((rate, index) => {
    const x = width - ((rates.length - 1 - index) * width) / (CHART_SECONDS - 1);
    return `${x.toFixed(1)} ${(height - (rate / peak) * (height - 4)).toFixed(1)}`;
  });
  const trace = `M${points.join("L")}`;
  const left = points[0].split(" ")[0];
  byId("stat-chart").querySelector(".trace").setAttribute("d", trace);
  byId("stat-chart").querySelector(".area").setAttribute("d", `${trace}V${height}H${left}Z`);
}

// Small things.

const WOOL_COUNT = 8; // colours in style.css
const wools = new Map(); // name → colour, in the order of appearance

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function avatar(name) {
  const made = element("span", "avatar", [...name][0]?.toUpperCase());
  if (!wools.has(name)) wools.set(name, wools.size % WOOL_COUNT);
  made.dataset.wool = String(wools.get(name));
  made.setAttribute("aria-hidden", "true");
  return made;
}

function clock(at) {
  const text = new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const made = element("time", "", text);
  made.dateTime = new Date(at).toISOString();
  return made;
}

/** Shows `text` in a place that is hidden when there is none. */
function show(place, text) {
  place.hidden = !text;
  place.textContent = text ?? "";
}

function asText(value) {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function capitalised(text) {
  return text[0].toUpperCase() + text.slice(1);
}

function compact(number) {
  if (number < 10_000) return String(Math.round(number));
  return `${(number / 1000).toFixed(number < 100_000 ? 1 : 0)}k`;
}

function duration(seconds) {
  const minutes = Math.floor(seconds / 60) % 60;
  const hours = Math.floor(seconds / 3_600) % 24;
  const days = Math.floor(seconds / 86_400);
  if (days) return `${days} d ${hours} h`;
  if (hours) return `${hours} h ${minutes} min`;
  return minutes ? `${minutes} min` : `${Math.floor(seconds)} s`;
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

// The life of the page: it connects at once, and says goodbye when it is left.

addEventListener("pagehide", () => {
  client.batch(() => {
    if (chat && client.status.clientId) announceLeave();
    client.abandon();
  });
  if (chat) chat.isAnnounced = false;
});
addEventListener("pageshow", (event) => event.persisted && connect());

recall();
client.subscribe("/demo/lazy", onLazy);
client.subscribe("/demo/stats", onStats);
showRoom();
showStatus();
connect();
