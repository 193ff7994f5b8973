// The cluster page: a card for each node, a picture of all, and a log of what happens to them.

import { byId } from "./dom.js";
import { KEEPER, keeper, onNodes } from "./keeper.js";
import { note } from "./log.js";
import { NodeCard } from "./node.js";
import { drawSky } from "./sky.js";
import { showConnection } from "./status.js";

const cards = new Map(); // name → card

/** What the page calls the node at `url`. */
function nameOf(url) {
  for (const card of cards.values()) if (card.place.url === url) return card.name;
  return url;
}

function showNodes(places) {
  for (const place of places) {
    if (!cards.has(place.name)) {
      const card = new NodeCard(place, { nameOf, changed: draw });
      cards.set(place.name, card);
      byId("nodes").append(card.element);
    }
  }
  for (const place of places) {
    const card = cards.get(place.name);
    // The keeper is another one, whose nodes are elsewhere.
    if (card.place.url !== place.url) return location.reload();
    tellOfLife(card.place, place);
    card.place = place;
  }
  for (const card of cards.values()) card.show();
  draw();
}

function tellOfLife(before, now) {
  if (now.life > 0 && before.life !== now.life) note("started", now.name, `was started, for the ${ordinal(now.life)} time`);
  const hasEnded = ["ending", "down"].includes(now.state) && ["up", "starting"].includes(before.state);
  if (hasEnded) note("killed", now.name, "was killed");
  if (now.state === "failed" && before.state !== "failed") note("failed", now.name, now.reason);
}

function ordinal(number) {
  return ["", "first", "second", "third", "fourth", "fifth"][number] ?? `${number}th`;
}

function draw() {
  drawSky([...cards.values()]);
}

function showStatus() {
  showConnection(keeper.status, KEEPER);
  for (const card of cards.values()) card.show();
}

function abandon() {
  keeper.abandon();
  for (const card of cards.values()) card.client.abandon();
}

function connect() {
  keeper.handshake("websocket");
  for (const card of cards.values()) card.show();
}

onNodes(showNodes);
keeper.addEventListener("status", showStatus);
addEventListener("pagehide", abandon);
addEventListener("pageshow", (event) => event.persisted && connect());
showStatus();
connect();
