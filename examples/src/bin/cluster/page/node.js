// The card of a node: who has joined it, its links, and the shared map as this node sees it.

import { Bayeux } from "./bayeux.js";
import { avatar, element, show } from "./dom.js";
import { isOver, kill, showOrders, start } from "./keeper.js";
import { note } from "./log.js";
import { MapTable } from "./map.js";
import { asSentence } from "./reasons.js";
import { whyOff } from "./status.js";

const NOTHING = { comets: [], links: [], parts: [] };
const SILENCE = 3_000; // ms without a view, of which there is one a second, until what is shown is old

export class NodeCard {
  view = NOTHING;
  #cluster;
  #map;
  #heardAt = null; // when the last view came, if one did on this connection

  /** `cluster` has the name of a URL, and is told when the view has changed. */
  constructor(place, cluster) {
    this.place = place;
    this.name = place.name;
    this.#cluster = cluster;
    this.client = new Bayeux(place.address);
    const template = document.getElementById("node").content;
    this.element = template.querySelector(".node").cloneNode(true);
    this.element.dataset.node = this.name;
    this.element.dataset.seen = "stale";
    this.#part("h2").textContent = `Node ${this.name}`;
    this.#part(".name").textContent = this.name;
    this.#part(".url").textContent = place.address.host;
    this.#part(".face").append(avatar(this.name));
    this.#map = new MapTable(this.element, this.name, (key) => this.#call("board/remove", { key }));
    this.#listen();
  }

  /** Whether what is shown is what the node knows now. */
  get isLive() {
    return this.#isReached && this.#heardAt !== null && performance.now() - this.#heardAt < SILENCE;
  }

  /** How the node is, in one or two words. */
  get condition() {
    const { state } = this.place;
    if (state !== "up") return { down: "is down", failed: "has failed" }[state] ?? `is ${state}`;
    if (!this.#isReached) return "is not reached";
    return this.#heardAt === null ? "is up" : "does not answer";
  }

  get #isReached() {
    return this.place.state === "up" && this.client.status.state === "connected";
  }

  /** Shows the state of the node, and talks to it as long as it runs. */
  show() {
    const { state } = this.place;
    this.element.dataset.state = state;
    showOrders(this.element, state);
    const isOff = this.client.status.state === "disconnected";
    if (state === "up" && isOff) this.client.handshake("websocket");
    if (isOver(state) && !isOff) this.client.disconnect();
    this.#showLiveness();
  }

  #listen() {
    this.client.addEventListener("status", () => {
      if (!this.#isReached) this.#heardAt = null;
      this.#showLiveness();
    });
    setInterval(() => this.#showLiveness(), 1_000);
    this.client.subscribe("/cluster/view", ({ data }) => this.#onView(data));
    const order = (button, act) => button.addEventListener("click", () => this.#try(act(this.name)));
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

  #call(target, data) {
    return this.#try(this.client.remoteCall(target, data));
  }

  /** Waits for what was asked for, and says why it was not done. */
  async #try(asked) {
    try {
      await asked;
      show(this.#part(".failure"));
      return true;
    } catch (error) {
      show(this.#part(".failure"), asSentence(error.reply?.data ?? error.message));
      return false;
    }
  }

  #onView(view) {
    this.#heardAt = performance.now();
    if (this.view.id === view.id) this.#tellOfComets(this.view.comets, view.comets);
    else this.#tellOfComets([], view.comets);
    this.view = view;
    this.#showMembers();
    this.#showLinks();
    this.#map.show(view.parts, this.#cluster.nameOf);
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
    const seen = this.isLive ? "live" : "stale";
    this.element.dataset.seen = seen;
    show(this.#part(".reason"), this.#reason());
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

  /** Why what is shown is old, if the state alone does not say it. */
  #reason() {
    if (this.isLive) return undefined;
    if (this.place.state === "failed") return asSentence(this.place.reason);
    if (this.place.state !== "up") return undefined;
    if (this.#isReached) return this.#heardAt === null ? undefined : "It does not answer, though it runs: this is old.";
    return whyOff(this.client.status, "the node");
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
