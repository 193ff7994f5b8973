// The shared map as one node sees it: a table that says how much of it is out of view.

import { avatar, element } from "./dom.js";

export class MapTable {
  #node;
  #remove;
  #table;
  #more;
  #body;
  #rows = new Map(); // owner and key → {row, value}, as shown

  /** `card` is that of the node `name`; `remove` takes a key out of its part. */
  constructor(card, name, remove) {
    this.#node = name;
    this.#remove = remove;
    this.#table = card.querySelector(".table");
    this.#body = card.querySelector(".map tbody");
    this.#more = card.querySelector(".more");
    this.#more.addEventListener("click", () => this.#table.scrollBy({ top: this.#table.clientHeight - 60 }));
    this.#table.addEventListener("scroll", () => this.#showMore());
    new ResizeObserver(() => this.#showMore()).observe(this.#table);
  }

  /** Shows the parts of the map. Rows stay where they are, so that only what is new or other catches the eye. */
  show(parts, nameOf) {
    const entries = parts.flatMap(({ url, entries }) => {
      const owner = nameOf(url);
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
    for (const row of [...this.#body.children]) if (!rows.includes(row)) row.remove();
    rows.forEach((row, index) => {
      if (this.#body.children[index] !== row) this.#body.insertBefore(row, this.#body.children[index] ?? null);
    });
    this.#showMore();
  }

  #row({ owner, key, value }) {
    const row = element("tr", "fresh");
    row.dataset.owner = owner;
    row.dataset.key = key;
    const of = element("td");
    of.append(avatar(owner));
    of.title = `of node ${owner}`;
    const last = element("td");
    if (owner === this.#node) {
      const remove = element("button", "remove", "×");
      remove.type = "button";
      remove.setAttribute("aria-label", `Remove ${key}`);
      remove.addEventListener("click", () => this.#remove(key));
      last.append(remove);
    }
    row.append(of, element("td", "key", key), element("td", "value", value), last);
    return row;
  }

  /** Says how many rows are below what is in view. */
  #showMore() {
    const end = this.#table.getBoundingClientRect().bottom;
    const isBelow = (row) => row.getBoundingClientRect().bottom > end + 4;
    const count = [...this.#body.children].filter(isBelow).length;
    this.#more.hidden = count === 0;
    this.#more.textContent = `↓ ${count} more below`;
  }
}
