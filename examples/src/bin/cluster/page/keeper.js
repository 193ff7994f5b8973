// The client of the program that keeps the nodes: which of them run, and the orders to kill and start them.

import { Bayeux } from "./bayeux.js";

export const keeper = new Bayeux(new URL("/cometd", location.href));

/** What it is called. */
export const KEEPER = "the program that keeps the nodes";

/** Calls `listener` with the nodes, now and whenever one starts or ends. */
export function onNodes(listener) {
  const hear = (nodes) => listener(nodes.map((node) => ({ ...node, address: reached(node.url) })));
  const ask = () => keeper.remoteCall("cluster/nodes", {}).then(hear, () => {});
  keeper.subscribe("/cluster/nodes", ({ data }) => hear(data));
  keeper.addEventListener("session", ask);
}

/** Where a node is for the page: on the machine that the page came from, whatever the nodes call it. */
function reached(url) {
  const address = new URL(url);
  address.hostname = location.hostname;
  return address;
}

/** Whether a node in this state does not run, and nobody is about to change that. */
export const isOver = (state) => state === "down" || state === "failed";

/** Has the buttons in `element` offer what can be ordered of a node, as long as orders reach the keeper. */
export function showOrders(element, state) {
  const isKept = keeper.status.state === "connected";
  const [kill, start] = [element.querySelector(".kill"), element.querySelector(".start")];
  [kill.hidden, start.hidden] = [isOver(state), !isOver(state)];
  [kill.disabled, start.disabled] = [!isKept || state !== "up", !isKept];
}

export const kill = (node) => keeper.remoteCall("cluster/kill", { node });
export const start = (node) => keeper.remoteCall("cluster/start", { node });
