// The picture: the nodes, and a line for each link, which is one node's client of another.

import { byId } from "./dom.js";
import { millis } from "./node.js";

const SVG = "http://www.w3.org/2000/svg";
const PLACES = [
  { x: 280, y: 52, text: -36 }, // `text` is where it says what it sees, from its middle
  { x: 96, y: 200, text: 44 },
  { x: 464, y: 200, text: 44 },
];
const RADIUS = 26;
const SIDE = 7; // how far the ends of a line are from the middle, and how far it bows out:
const BEND = 36; // so those of both directions are apart
const drawn = new Map(); // what → its elements

export function drawSky(cards) {
  const places = new Map(cards.map((card, index) => [card, PLACES[index % PLACES.length]]));
  for (const from of cards) {
    for (const to of cards) {
      if (from !== to) drawLink(from, to, places.get(from), places.get(to));
    }
  }
  for (const card of cards) drawNode(card, places.get(card));
}

function drawLink(from, to, start, end) {
  const { line, delay } = once(`${from.name}>${to.name}`, () => {
    const line = make("path", { "data-from": from.name, "data-to": to.name });
    const { path, label } = curve(start, end);
    line.setAttribute("d", path);
    const delay = make("text", { class: "delay", x: label.x, y: label.y });
    byId("sky").prepend(line);
    byId("sky").append(delay);
    return { line, delay };
  });
  const link = from.view.links.find(({ url }) => url === to.place.url);
  line.dataset.state = linkState(from, to, link);
  delay.textContent = ["joined", "linked"].includes(line.dataset.state) ? millis(link.delay) : "";
}

function linkState(from, to, link) {
  if (!from.isLive || !link) return "none";
  if (link.state !== "connected") return "dialing";
  return from.view.comets.includes(to.place.url) ? "joined" : "linked";
}

function drawNode(card, { x, y, text }) {
  const { group, count } = once(card.name, () => {
    const group = make("g", { class: "star", transform: `translate(${x} ${y})` });
    const name = make("text", { class: "letter", y: 7 });
    name.textContent = card.name;
    const count = make("text", { class: "count", y: text });
    group.append(make("circle", { r: RADIUS }), name, count);
    byId("sky").append(group);
    return { group, count };
  });
  group.dataset.state = card.isLive ? "live" : card.place.state;
  const others = card.view.comets.length;
  const seen = others === 1 ? "sees 1 other" : `sees ${others} others`;
  count.textContent = card.isLive ? seen : card.condition;
}

/** A line that bows out to its right, from edge to edge of the circles. */
function curve(start, end) {
  const length = Math.hypot(end.x - start.x, end.y - start.y);
  const [dx, dy] = [(end.x - start.x) / length, (end.y - start.y) / length];
  const [nx, ny] = [-dy, dx];
  const gap = RADIUS + 5;
  const point = (at, out) => ({ x: start.x + dx * at + nx * out, y: start.y + dy * at + ny * out });
  const [a, b, c] = [point(gap, SIDE), point(length / 2, BEND), point(length - gap, SIDE)];
  const text = ({ x, y }) => `${x.toFixed(1)} ${y.toFixed(1)}`;
  const label = point(length / 2, (SIDE + BEND) / 2);
  return { path: `M${text(a)}Q${text(b)} ${text(c)}`, label };
}

function once(what, create) {
  if (!drawn.has(what)) drawn.set(what, create());
  return drawn.get(what);
}

function make(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}
