// The log: what happened to the nodes, and what each of them saw of it.

import { avatar, byId, element } from "./dom.js";

const MOST = 60; // entries

export function note(kind, name, text) {
  const item = element("li");
  item.dataset.kind = kind;
  const time = element("time", "", new Date().toLocaleTimeString());
  item.append(avatar(name), element("span", "", `${name} ${text}`), time);
  byId("log").prepend(item);
  while (byId("log").children.length > MOST) byId("log").lastChild.remove();
}
