// The door: which nodes run, the ways to their rooms, and the orders to kill and start them.

import { avatar, byId, show } from "./dom.js";
import { KEEPER, keeper, kill, onNodes, showOrders, start } from "./keeper.js";
import { asSentence } from "./reasons.js";
import { showConnection } from "./status.js";

const STATES = {
  up: "open",
  starting: "is opening",
  ending: "is being killed",
  down: "is down",
  failed: "has failed",
};
const places = new Map(); // name → element

function showNodes(nodes) {
  for (const { name, address, state, reason } of nodes) {
    if (!places.has(name)) places.set(name, make(name));
    const place = places.get(name);
    place.dataset.state = state;
    place.querySelector(".enter").href = new URL("/", address).href;
    place.querySelector(".state").textContent = `${address.host}, ${STATES[state]}`;
    show(place.querySelector(".reason"), reason && asSentence(reason));
    showOrders(place, state);
  }
}

function make(name) {
  const place = byId("place").content.querySelector(".place").cloneNode(true);
  place.dataset.node = name;
  place.querySelector("h2").textContent = `Node ${name}`;
  place.querySelector(".face").append(avatar(name));
  const order = async (act) => {
    const failure = await act(name).then(() => undefined, ({ message }) => asSentence(message));
    show(place.querySelector(".failure"), failure);
  };
  place.querySelector(".kill").addEventListener("click", () => order(kill));
  place.querySelector(".start").addEventListener("click", () => order(start));
  byId("places").append(place);
  return place;
}

function showStatus() {
  showConnection(keeper.status, KEEPER);
  // What is shown is what was so last.
  byId("places").classList.toggle("is-stale", keeper.status.state !== "connected");
  for (const place of places.values()) showOrders(place, place.dataset.state);
}

onNodes(showNodes);
keeper.addEventListener("status", showStatus);
addEventListener("pagehide", () => keeper.abandon());
addEventListener("pageshow", (event) => event.persisted && keeper.handshake("websocket"));
showStatus();
keeper.handshake("websocket");
