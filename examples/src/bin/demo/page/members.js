// The members of the room, who can be picked as the readers of a private message.

import { avatar, byId, element } from "./dom.js";

export function showMembers(names, ownName) {
  const sorted = [...names].sort((a, b) => a.localeCompare(b));
  byId("member-count").textContent = String(sorted.length);
  byId("members").replaceChildren(...sorted.map((name) => memberItem(name, name === ownName)));
  showRecipients();
}

export function clearMembers() {
  byId("private-to").value = "";
  byId("members").replaceChildren();
  byId("member-count").textContent = "";
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
}

byId("private-to").addEventListener("input", showRecipients);
byId("private-clear").addEventListener("click", () => setRecipients([]));
