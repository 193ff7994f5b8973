// The client of the program that keeps the nodes: which of them run, and the orders to kill and start them.

import { Bayeux } from "./bayeux.js";

export const keeper = new Bayeux(new URL("/cometd", location.href));

/** Calls `listener` with the nodes, now and whenever one starts or ends. */
export function onNodes(listener) {
  const ask = () => keeper.remoteCall("cluster/nodes", {}).then(listener, () => {});
  keeper.subscribe("/cluster/nodes", ({ data }) => listener(data));
  keeper.addEventListener("session", ask);
}

/** Whether orders reach it. */
export const isKept = () => keeper.status.state === "connected";

export const kill = (node) => keeper.remoteCall("cluster/kill", { node });
export const start = (node) => keeper.remoteCall("cluster/start", { node });
