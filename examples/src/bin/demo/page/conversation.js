// The conversation: a log of messages and notes that follows its end while the reader does.

import { avatar, byId, element } from "./dom.js";

const LOG_LIMIT = 500; // entries kept
const FOLLOW_WITHIN = 120_000; // ms in which messages of one author stand under one name
const log = byId("messages");
let lastEntry = null; // {user, kind, scope, at}
let isFollowing = true; // whether the reader is at the end

export function clearConversation() {
  log.replaceChildren();
  lastEntry = null;
}

export function addNote(text) {
  addEntry({ kind: "note", user: "", text });
}

/** Adds an entry whose kind is "chat", "private", "membership" or "note". */
export function addEntry({ kind, user, text, scope }) {
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

function clock(at) {
  const text = new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const made = element("time", "", text);
  made.dateTime = new Date(at).toISOString();
  return made;
}

function follows(entry) {
  const isSame = ["user", "kind", "scope"].every((key) => entry[key] === lastEntry?.[key]);
  return isSame && entry.at - lastEntry.at < FOLLOW_WITHIN;
}

/** Adds to the log and keeps its end in view, unless the reader has scrolled away from it. */
function append(entry) {
  const wasAtEnd = isFollowing;
  log.append(entry);
  while (log.childElementCount > LOG_LIMIT) log.firstElementChild.remove();
  if (wasAtEnd) scrollToEnd();
  byId("messages-end").hidden = wasAtEnd;
}

function isAtEnd() {
  return log.scrollHeight - log.scrollTop - log.clientHeight < 40;
}

function scrollToEnd() {
  log.scrollTop = log.scrollHeight;
  isFollowing = true;
}

log.addEventListener("scroll", () => {
  isFollowing = isAtEnd();
  if (isFollowing) byId("messages-end").hidden = true;
});
// What comes above or below takes its room from the log, whose end would go out of view.
new ResizeObserver(() => isFollowing && scrollToEnd()).observe(log);
byId("messages-end").addEventListener("click", scrollToEnd);
