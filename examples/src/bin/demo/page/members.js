// The members of the room, who can be picked as the readers of a private message.

import { client } from "./connection.js";
import { avatar, byId, element, show } from "./dom.js";

let present = []; // the names in the list

export function showMembers(names, ownName) {
  present = names;
  const sorted = [...names].sort((a, b) => a.localeCompare(b));
  byId("member-count").textContent = String(sorted.length);
  byId("members").replaceChildren(...sorted.map((name) => memberItem(name, name === ownName)));
  showRecipients();
  showStaleness();
}

export function clearMembers() {
  present = [];
  byId("private-to").value = "";
  byId("members").replaceChildren();
  byId("member-count").textContent = "";
  showStaleness();
}

function memberItem(name, isSelf) {
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

/** The names a message goes to; none if it is for everyone. */
export function recipients() {
  const names = byId("private-to").value.split(",").map((name) => name.trim());
  return [...new Set(names.filter(Boolean))];
}

function toggleRecipient(name) {
  const names = recipients();
  const others = names.filter((other) => other !== name);
  setRecipients(others.length < names.length ? others : [...names, name]);
}

function setRecipients(names) {
  byId("private-to").value = names.join(", ");
  showRecipients();
  byId("message").focus();
}

export function showRecipients() {
  const names = recipients();
  byId("composer").classList.toggle("is-private", names.length > 0);
  byId("private-clear").hidden = names.length === 0;
  byId("send").textContent = names.length ? "Send privately" : "Send";
  for (const button of document.querySelectorAll("#members button")) {
    const isPicked = names.includes(button.parentElement.dataset.user);
    button.setAttribute("aria-pressed", String(isPicked));
    button.querySelector(".mark").textContent = isPicked ? "private" : "";
  }
  showUnknown();
}

/** Tells whom a private message would not reach; not of a name that is being typed. */
function showUnknown() {
  const isTyping = document.activeElement === byId("private-to");
  const unknown = isTyping ? [] : recipients().filter((name) => !present.includes(name));
  show(byId("private-unknown"), unknown.length ? `Not in the room: ${unknown.join(", ")}` : undefined);
}

/** Without a connection the list is what it was. */
function showStaleness() {
  const isStale = present.length > 0 && client.status.state !== "connected";
  byId("members").classList.toggle("is-stale", isStale);
  byId("members-stale").hidden = !isStale;
}

byId("private-to").addEventListener("input", showRecipients);
byId("private-to").addEventListener("blur", showUnknown);
byId("private-clear").addEventListener("click", () => setRecipients([]));
client.addEventListener("status", showStaleness);
