// The door: which nodes run, the ways to their rooms, and the orders to kill and start them.

import { avatar, byId } from "./dom.js";
import { keeper, kill, onNodes, start } from "./keeper.js";

const STATES = { up: "open", starting: "is opening", ending: "is being killed", down: "is down" };
const CONNECTION = {
  connecting: "Connecting",
  connected: "Connected",
  reconnecting: "Reconnecting",
  disconnected: "Disconnected",
};
const places = new Map(); // name → element

function showNodes(nodes) {
  for (const { name, url, state } of nodes) {
    if (!places.has(name)) places.set(name, make(name, url));
    const place = places.get(name);
    place.dataset.state = state;
    place.querySelector(".state").textContent = `${new URL(url).host}, ${STATES[state]}`;
    place.querySelector(".kill").hidden = state === "down";
    place.querySelector(".kill").disabled = state !== "up";
    place.querySelector(".start").hidden = state !== "down";
  }
}

function make(name, url) {
  const place = byId("place").content.querySelector(".place").cloneNode(true);
  place.dataset.node = name;
  place.querySelector("h2").textContent = `Node ${name}`;
  place.querySelector(".face").append(avatar(name));
  place.querySelector(".enter").href = new URL("/", url).href;
  place.querySelector(".kill").addEventListener("click", () => kill(name).catch(() => {}));
  place.querySelector(".start").addEventListener("click", () => start(name).catch(() => {}));
  byId("places").append(place);
  return place;
}

function showStatus() {
  byId("status").dataset.state = keeper.status.state;
  byId("status").textContent = CONNECTION[keeper.status.state];
}

onNodes(showNodes);
keeper.addEventListener("status", showStatus);
addEventListener("pagehide", () => keeper.abandon());
addEventListener("pageshow", (event) => event.persisted && keeper.handshake("websocket"));
showStatus();
keeper.handshake("websocket");
