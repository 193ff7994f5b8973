// The client of this node: what it says of the house, and what it is asked.

import { Bayeux } from "./bayeux.js";

export const client = new Bayeux(new URL("/cometd", location.href));

/** Calls `welcome` with all there is, at each start of a session. */
export function onWelcome(welcome) {
  client.addEventListener("session", () => {
    client.remoteCall("auction/enter", {}).then(welcome, () => {});
  });
}

/** Starts a session under a name, or under none, to watch. */
export async function enter(name) {
  await client.disconnect();
  client.ext = name ? { bidder: name } : undefined;
  client.handshake("websocket");
}

const hear = (channel) => (listener) => client.subscribe(channel, ({ data }) => listener(data));
export const onLot = hear("/auction/lots");
export const onHouse = hear("/auction/house");
export const onWords = hear("/auction/chat");
export const onNotice = hear("/service/auction/notice");

export const bid = (item, amount) => client.remoteCall("auction/bid", { item, amount });
export const say = (text) => client.remoteCall("auction/say", { text });

/** What is said of a call that failed. */
export function why(error) {
  return typeof error.reply?.data === "string" ? error.reply.data : error.message;
}

export function money(cents) {
  return `€ ${(cents / 100).toLocaleString("en", { minimumFractionDigits: 2 })}`;
}
