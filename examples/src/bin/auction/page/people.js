// Who is there, what they say, and what is for one bidder alone.

import { avatar, byId, element, show } from "./dom.js";
import { client, money, say, why } from "./house.js";
import { nameOf } from "./lots.js";

const MOST = 50; // entries

let isSaying = false;
let shown = 0; // the number of the view that is shown

/** Shows who is there, unless a later view is shown already. */
export function showHouse({ number, seen }) {
  if (number < shown) return;
  shown = number;
  const { nodes, decides, bidders } = seen;
  byId("nodes").replaceChildren(...nodes.map((name) => node(name, name === decides)));
  byId("no-auctioneer").hidden = decides !== null;
  byId("bidder-count").textContent = String(bidders.count);
  byId("bidders").replaceChildren(...bidders.shown.map(bidder));
}

// A node that is started again counts anew.
client.addEventListener("session", () => (shown = 0));

function node(name, decides) {
  const item = element("li", "", name);
  item.dataset.node = name;
  if (decides) item.dataset.decides = "";
  item.title = decides ? `node ${name}, which decides` : `node ${name}`;
  return item;
}

function bidder({ name, nodes }) {
  const item = element("li");
  item.dataset.bidder = name;
  item.append(avatar(name), element("span", "name", name), element("span", "fine", nodes.join(" ")));
  return item;
}

export function notice({ what, item, lot }) {
  const [top] = lot.bids;
  const texts = {
    outbid: `${top.bidder} bids ${money(top.cents)} for ${nameOf(item)}: more than you.`,
    won: `${nameOf(item)} is yours, for ${money(top.cents)}.`,
  };
  const entry = element("li", "", texts[what]);
  entry.dataset.what = what;
  entry.dataset.item = item;
  prepend(byId("notices"), entry);
}

export function words({ name, text }) {
  const entry = element("li");
  entry.dataset.from = name;
  const said = element("p");
  said.append(element("b", "", name), ` ${text}`);
  entry.append(avatar(name), said);
  prepend(byId("chat"), entry);
}

function prepend(list, entry) {
  list.prepend(entry);
  while (list.children.length > MOST) list.lastChild.remove();
}

/** Lets those speak who have a name. Who types when the link breaks may type on. */
export function showSay() {
  const { you } = document.body.dataset;
  byId("words").disabled = !you;
  byId("say").disabled = !you || isSaying || client.status.state !== "connected";
}

byId("say-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = byId("words").value;
  isSaying = true;
  showSay();
  try {
    await say(text);
    // What was typed meanwhile stays.
    if (byId("words").value === text) byId("words").value = "";
    show(byId("say-error"));
  } catch (error) {
    show(byId("say-error"), why(error));
  }
  isSaying = false;
  showSay();
});
