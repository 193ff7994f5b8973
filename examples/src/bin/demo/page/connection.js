// The connection bar: one switch for the transport, one button, one light.

import { Bayeux } from "./bayeux.js";
import { byId } from "./dom.js";
import { showConnection } from "./status.js";

const TRANSPORTS = {
  websocket: "WebSocket",
  "long-polling": "Long-polling",
  "callback-polling": "Callback-polling",
};

/** The one client of the page. */
export const client = new Bayeux(new URL("/cometd", location.href));
let switching = Promise.resolve();

/** Leaves the transport in use, if another, and connects over the chosen one. */
export function connect() {
  switching = switching.then(async () => {
    if (client.status.transport === chosenTransport()) return;
    await client.disconnect();
    client.handshake(chosenTransport());
  });
}

export function chosenTransport() {
  return document.querySelector("#transport input:checked").value;
}

export function transportLabel(name) {
  return TRANSPORTS[name];
}

function showStatus() {
  const { state, transport, clientId, detail } = client.status;
  const isOff = state === "disconnected";
  showConnection(client.status);
  byId("status-transport").textContent = isOff ? "no transport" : transportLabel(transport);
  byId("client-id").textContent = clientId ?? "";
  byId("client-id").title = clientId ?? "";
  byId("toggle").textContent = isOff ? "Connect" : "Disconnect";
  byId("status-reason").title = detail ?? "";
}

client.addEventListener("status", showStatus);
byId("transport").addEventListener("change", connect);
byId("toggle").addEventListener("click", () => {
  if (client.status.state === "disconnected") connect();
  else client.disconnect();
});
showStatus();
