// The card of a node: who has joined it, its links, and the shared map as this node sees it.

import { Bayeux } from "./bayeux.js";
import { avatar, element, show } from "./dom.js";
import { kill, start } from "./keeper.js";
import { note } from "./log.js";

const NOTHING = { comets: [], links: [], parts: [] };

export class NodeCard {
  view = NOTHING;
  #cluster;
  #rows = new Map(); // owner and key → value, as shown

  /** `cluster` has the name of a URL, and is told when the view has changed. */
  constructor(place, cluster) {
    this.place = place;
    this.name = place.name;
    this.#cluster = cluster;
    this.client = new Bayeux(place.url);
    const template = document.getElementById("node").content;
    this.element = template.querySelector(".node").cloneNode(true);
    this.element.dataset.node = this.name;
    this.element.dataset.seen = "stale";
    this.#part("h2").textContent = `Node ${this.name}`;
    this.#part(".name").textContent = this.name;
    this.#part(".url").textContent = new URL(place.url).host;
    this.#part(".face").append(avatar(this.name));
    this.#listen();
  }

  /** Whether what is shown is what the node knows now. */
  get isLive() {
    return this.place.state === "up" && this.client.status.state === "connected";
  }

  /** Shows the state of the node, and talks to it as long as it runs. */
  show() {
    const { state } = this.place;
    this.element.dataset.state = state;
    this.#part(".kill").hidden = state === "down";
    this.#part(".kill").disabled = state !== "up";
    this.#part(".start").hidden = state !== "down";
    const isOff = this.client.status.state === "disconnected";
    if (state === "up" && isOff) this.client.handshake("websocket");
    if (state === "down" && !isOff) this.client.disconnect();
    this.#showLiveness();
  }

  #listen() {
    this.client.addEventListener("status", () => this.#showLiveness());
    this.client.subscribe("/cluster/view", ({ data }) => this.#onView(data));
    const order = (button, act) => button.addEventListener("click", () => act(this.name).catch(() => {}));
    order(this.#part(".kill"), kill);
    order(this.#part(".start"), start);
    this.#part("form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#put();
    });
  }

  async #put() {
    const [key, value] = [this.#part("form .key"), this.#part("form .value")];
    if (!key.value.trim()) return key.focus();
    const entry = { key: key.value.trim(), value: value.value };
    if (!(await this.#call("board/put", entry))) return;
    key.value = value.value = "";
    key.focus();
  }

  async #call(target, data) {
    try {
      await this.client.remoteCall(target, data);
      show(this.#part(".failure"));
      return true;
    } catch (error) {
      show(this.#part(".failure"), error.reply?.data ?? error.message);
      return false;
    }
  }

  #onView(view) {
    if (this.view.id === view.id) this.#tellOfComets(this.view.comets, view.comets);
    else this.#tellOfComets([], view.comets);
    this.view = view;
    this.#showMembers();
    this.#showLinks();
    this.#showMap();
    this.#showLiveness();
  }

  #tellOfComets(before, now) {
    for (const url of now) if (!before.includes(url)) this.#note("joined", url);
    for (const url of before) if (!now.includes(url)) this.#note("left", url);
  }

  #note(kind, url) {
    const name = this.#cluster.nameOf(url);
    note(kind, this.name, kind === "joined" ? `sees that ${name} has joined` : `sees that ${name} has left`);
  }

  #showLiveness() {
    this.element.dataset.seen = this.isLive ? "live" : "stale";
    for (const field of this.element.querySelectorAll("form :is(input, button), .remove")) {
      field.disabled = !this.isLive;
    }
    this.#cluster.changed();
  }

  #showMembers() {
    const items = this.view.comets.map((url) => {
      const name = this.#cluster.nameOf(url);
      const item = element("li");
      item.dataset.node = name;
      item.append(avatar(name), element("span", "", name));
      return item;
    });
    items.sort(byName);
    this.#part(".members").replaceChildren(...items);
  }

  #showLinks() {
    const items = this.view.links.map(({ url, state, transport, delay }) => {
      const name = this.#cluster.nameOf(url);
      const item = element("li");
      item.dataset.node = name;
      item.dataset.state = state;
      const isUp = state === "connected";
      const how = isUp ? transport : state;
      item.append(element("b", "", `→ ${name}`), element("span", "how", how));
      item.append(element("span", "delay", isUp ? millis(delay) : ""));
      return item;
    });
    items.sort(byName);
    this.#part(".links").replaceChildren(...items);
  }

  /** Rows stay where they are, so that only what is new or other catches the eye. */
  #showMap() {
    const entries = this.view.parts.flatMap(({ url, entries }) => {
      const owner = this.#cluster.nameOf(url);
      return Object.entries(entries).map(([key, value]) => ({ owner, key, value }));
    });
    entries.sort((one, other) => one.owner.localeCompare(other.owner) || one.key.localeCompare(other.key));
    const shown = new Map();
    const rows = entries.map((entry) => {
      const id = JSON.stringify([entry.owner, entry.key]);
      const before = this.#rows.get(id);
      const row = before?.value === entry.value ? before.row : this.#row(entry);
      shown.set(id, { row, value: entry.value });
      return row;
    });
    this.#rows = shown;
    const body = this.#part(".map tbody");
    for (const row of [...body.children]) if (!rows.includes(row)) row.remove();
    rows.forEach((row, index) => {
      if (body.children[index] !== row) body.insertBefore(row, body.children[index] ?? null);
    });
  }

  #row({ owner, key, value }) {
    const row = element("tr", "fresh");
    row.dataset.owner = owner;
    row.dataset.key = key;
    const of = element("td");
    of.append(avatar(owner));
    of.title = `of node ${owner}`;
    const last = element("td");
    if (owner === this.name) {
      const remove = element("button", "remove", "×");
      remove.type = "button";
      remove.setAttribute("aria-label", `Remove ${key}`);
      remove.addEventListener("click", () => this.#call("board/remove", { key }));
      last.append(remove);
    }
    row.append(of, element("td", "key", key), element("td", "value", value), last);
    return row;
  }

  #part(selector) {
    return this.element.querySelector(selector);
  }
}

function byName(one, other) {
  return one.dataset.node.localeCompare(other.dataset.node);
}

export function millis(delay) {
  if (delay === null || delay === undefined) return "";
  return `${delay < 10 ? delay.toFixed(1) : Math.round(delay)} ms`;
}
