// How a connection is, in words, as the bar of each page shows it.

import { byId, show } from "./dom.js";
import { asSentence, nextTry } from "./reasons.js";

const STATES = {
  connecting: "Connecting",
  connected: "Connected",
  reconnecting: "Reconnecting",
  disconnected: "Disconnected",
};

/** Shows the status of a client, whose server is called `server` here. */
export function showConnection(status, server) {
  byId("status").dataset.state = status.state;
  byId("status").textContent = STATES[status.state];
  show(byId("status-reason"), whyOff(status, server));
}

/** Says what is wrong with a connection, and when it is tried again. */
export function whyOff({ reason, retryIn }, server = "the server") {
  return reason && asSentence(reason.replace(/^the server/, server)) + nextTry(retryIn);
}
