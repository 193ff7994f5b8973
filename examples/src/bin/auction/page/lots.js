// The lots: a card for each item, what is bid for it, and a form to bid.

import { byId, element, show } from "./dom.js";
import { bid, client, money, why } from "./house.js";

const cards = new Map(); // item → card
let you = null;
let ahead = 0; // ms by which the house's clock is ahead of ours
let category = null;

class Card {
  lot = null;
  #least = 0;
  #isBidding = false;
  #suggested = ""; // what the card wrote last as the amount

  constructor(item) {
    this.item = item;
    this.element = byId("lot").content.querySelector(".lot").cloneNode(true);
    this.element.dataset.item = item.id;
    this.element.dataset.category = item.category;
    this.part("h2").textContent = item.name;
    this.part(".about").textContent = item.about;
    this.part("form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#bid();
    });
  }

  part(selector) {
    return this.element.querySelector(selector);
  }

  /** Takes what the house says, unless this is further already. */
  take({ lot, least }) {
    if (this.lot && !isAhead(lot, this.lot)) return this.show();
    this.lot = lot;
    this.#least = least;
    this.#suggest();
    this.show();
  }

  /** Writes the least that counts, unless somebody types or has typed. */
  #suggest() {
    const amount = this.part(".amount");
    if (document.activeElement === amount || amount.value !== this.#suggested) return;
    amount.value = this.#suggested = (this.#least / 100).toFixed(2);
  }

  show() {
    const { lot } = this;
    if (!lot) return;
    const top = lot.bids[0];
    this.element.dataset.state = this.#state(top);
    const price = this.part(".price");
    price.textContent = money(top?.cents ?? this.item.start);
    price.dataset.cents = String(top?.cents ?? 0);
    const verb = lot.is_closed ? "sold to" : "bid by";
    const nobody = lot.is_closed ? "not sold" : "no bid yet";
    this.part(".leader").textContent = top ? `${verb} ${isYours(top) ? "you" : top.bidder}` : nobody;
    this.part(".bids").replaceChildren(...lot.bids.slice(0, 3).map(line));
    const isClosed = !you || lot.is_closed;
    // Who types when the link breaks may type on.
    this.part(".amount").disabled = isClosed;
    this.part(".bid").disabled = isClosed || this.#isBidding || client.status.state !== "connected";
    this.part(".amount").placeholder = `from ${(this.#least / 100).toFixed(2)}`;
    this.tick();
  }

  #state(top) {
    if (this.lot.is_closed) return "closed";
    if (!top || !you) return "open";
    if (isYours(top)) return "leading";
    return this.lot.bidders.includes(you) ? "outbid" : "open";
  }

  /** Shows how long it is open. */
  tick() {
    if (!this.lot) return;
    const seconds = Math.max(0, Math.ceil((this.lot.closes - Date.now() - ahead) / 1000));
    const [minutes, rest] = [Math.floor(seconds / 60), String(seconds % 60).padStart(2, "0")];
    this.part(".left").textContent = this.lot.is_closed ? "closed" : `${minutes}:${rest} left`;
    this.element.classList.toggle("is-late", !this.lot.is_closed && seconds <= 20);
    const badges = { leading: "you lead", outbid: "outbid", closed: "closed" };
    this.part(".badge").textContent = badges[this.element.dataset.state] ?? "";
  }

  async #bid() {
    const typed = this.part(".amount").value;
    const text = typed.trim().replace(",", ".");
    this.#isBidding = true;
    this.show();
    try {
      await bid(this.item.id, Number(text || "NaN"));
      show(this.part(".failure"));
      // It is done with.
      if (this.part(".amount").value === typed) this.#suggested = typed;
      this.#suggest();
    } catch (error) {
      show(this.part(".failure"), why(error));
    }
    this.#isBidding = false;
    this.show();
  }
}

/** Whether `one` is what became of `other`. */
function isAhead(one, other) {
  const rank = ({ round, is_closed, bids, closes }) => [round, Number(is_closed), bids[0]?.cents ?? 0, closes];
  const [a, b] = [rank(one), rank(other)];
  const different = a.findIndex((value, index) => value !== b[index]);
  return different < 0 || a[different] > b[different];
}

const isYours = ({ bidder }) => bidder === you;

function line({ number, bidder, cents }) {
  const item = element("li");
  item.dataset.number = String(number);
  item.dataset.bidder = bidder;
  item.append(element("span", "who", bidder), element("span", "cents", money(cents)));
  return item;
}

/** Shows all there is, for the bidder that the house knows. */
export function welcome(all) {
  you = all.you;
  ahead = all.now - Date.now();
  if (!cards.size) {
    for (const item of all.items) cards.set(item.id, new Card(item));
    byId("lots").append(...[...cards.values()].map((card) => card.element));
    byId("categories").append(...[null, ...all.categories].map(chip));
  }
  for (const lot of all.lots) takeLot(lot);
  showLots();
  sift();
}

export function showLots() {
  for (const card of cards.values()) card.show();
}

export function takeLot(news) {
  cards.get(news.item)?.take(news);
}

export const nameOf = (item) => cards.get(item)?.item.name ?? item;

function chip(name) {
  const button = element("button", "chip", name ?? "All");
  button.type = "button";
  button.dataset.category = name ?? "";
  button.setAttribute("aria-pressed", String(name === category));
  button.addEventListener("click", () => {
    category = name;
    for (const other of byId("categories").children) {
      other.setAttribute("aria-pressed", String(other === button));
    }
    sift();
  });
  return button;
}

function sift() {
  const words = byId("search").value.trim().toLowerCase().split(/\s+/);
  let shown = 0;
  for (const { item, element } of cards.values()) {
    const text = `${item.name} ${item.about}`.toLowerCase();
    const fits = (!category || item.category === category) && words.every((word) => text.includes(word));
    element.hidden = !fits;
    shown += Number(fits);
  }
  byId("nothing").hidden = shown > 0 || cards.size === 0;
}

byId("search").addEventListener("input", sift);
setInterval(() => cards.forEach((card) => card.tick()), 500);
