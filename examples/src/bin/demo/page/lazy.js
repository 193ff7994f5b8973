// The lazy panel: our own messages are timed by our clock; those of others only appear.

import { ownName } from "./chat.js";
import { client } from "./connection.js";
import { byId, element } from "./dom.js";

const DELAY_LIMIT = 1_000; // ms, the length of a full bar
const ROW_LIMIT = 6;
const pageId = Math.random().toString(36).slice(2);
const waiting = new Map(); // number → {row, start}
let lastNumber = 0;

function publishLazily() {
  const number = (lastNumber += 1);
  const track = element("span", "track");
  track.append(element("span"));
  const parts = [element("span", "number", `${number}.`), track, element("span", "delay", "waiting")];
  const row = addRow("waiting", ...parts);
  waiting.set(number, { row, start: performance.now() });
  client.publish("/demo/lazy", { page: pageId, number, user: ownName() }).catch((error) => {
    waiting.delete(number);
    finishRow(row, "failed", 0, "not sent");
    row.title = error.message;
  });
}

function onLazy({ data }) {
  if (data.page !== pageId) return addRowOfOther(data.user ?? "elsewhere");
  const sent = waiting.get(data.number);
  if (!sent) return;
  waiting.delete(data.number);
  const delay = performance.now() - sent.start;
  finishRow(sent.row, "arrived", delay / DELAY_LIMIT, `${Math.round(delay)} ms`);
}

function addRowOfOther(user) {
  addRow("other", element("span", "from", `from ${user}`));
}

function addRow(state, ...parts) {
  const log = byId("lazy-log");
  const row = element("li");
  row.dataset.state = state;
  row.append(...parts);
  log.prepend(row);
  while (log.childElementCount > ROW_LIMIT) log.lastElementChild.remove();
  return row;
}

function finishRow(row, state, share, text) {
  row.dataset.state = state;
  row.querySelector(".track span").style.width = `${Math.min(1, share) * 100}%`;
  row.querySelector(".delay").textContent = text;
}

byId("lazy-send").addEventListener("click", publishLazily);
client.subscribe("/demo/lazy", onLazy);
