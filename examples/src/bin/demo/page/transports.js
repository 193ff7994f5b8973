// The transports of the Bayeux client: each carries arrays of messages to the server and back.

// Each has a `name`; `send(messages)`, which rejects if they cannot be sent; `sendLast(messages)`,
// for when the page is unloaded; and `reset()`, which gives up what is under way. It calls
// `receive(messages)` with what arrives and, if it has a lasting link, `lost(error)` when that breaks.

import { Unsent } from "./reasons.js";

const URL_LIMIT = 2_000; // characters in the address of a callback-polling request

/** Sends arrays of messages over one socket, which it opens when there is something to send. */
class WebSocketTransport {
  name = "websocket";
  #url;
  #events;
  #socket = null;
  #opening = null;

  constructor(url, events) {
    this.#url = url.replace(/^http/, "ws");
    this.#events = events;
  }

  async send(messages) {
    const socket = await (this.#opening ??= this.#open());
    socket.send(JSON.stringify(messages));
  }

  sendLast(messages) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(messages));
  }

  reset() {
    const socket = this.#socket;
    this.#socket = this.#opening = null;
    socket?.close(1000);
  }

  #open() {
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    let wasOpen = false;
    return new Promise((resolve, reject) => {
      socket.onopen = () => {
        wasOpen = true;
        resolve(socket);
      };
      // What comes late over one that was given up comes again over the next.
      socket.onmessage = (event) => socket === this.#socket && this.#events.receive(JSON.parse(event.data));
      socket.onclose = () => {
        if (socket !== this.#socket) return;
        this.#socket = this.#opening = null;
        const error = wasOpen ? new Error("the connection was lost") : new Unsent("the server cannot be reached");
        reject(error);
        this.#events.lost(error);
      };
    });
  }
}

/** What the polling transports share: a connect has its own request, others go in a row. */
class Polling {
  #turn = Promise.resolve();
  #aborter = new AbortController();

  constructor(url, events) {
    this.url = url;
    this.receive = events.receive;
  }

  send(messages) {
    const { signal } = this.#aborter;
    const isAlone = ["/meta/handshake", "/meta/connect"].includes(messages[0].channel);
    if (isAlone) return this.exchange(messages, signal);
    const sent = this.#turn.then(async () => {
      for (const part of this.parts(messages)) {
        signal.throwIfAborted();
        await this.exchange(part, signal);
      }
    });
    this.#turn = sent.catch(() => {});
    return sent;
  }

  sendLast(messages) {
    for (const part of this.parts(messages)) this.fetch(part, { keepalive: true }).catch(() => {});
  }

  reset() {
    this.#aborter.abort(new Error("disconnected"));
    this.#aborter = new AbortController();
  }
}

class LongPolling extends Polling {
  name = "long-polling";

  parts(messages) {
    return [messages];
  }

  async exchange(messages, signal) {
    const response = await this.fetch(messages, { signal }).catch(() => {
      throw new Error("the server cannot be reached");
    });
    if (!response.ok) throw new Error(`the server cannot serve at the moment (HTTP ${response.status})`);
    this.receive(await response.json());
  }

  fetch(messages, options) {
    const headers = { "Content-Type": "application/json;charset=UTF-8" };
    return fetch(this.url, { method: "POST", headers, body: JSON.stringify(messages), ...options });
  }
}

class CallbackPolling extends Polling {
  name = "callback-polling";
  static #lastCallback = 0;

  /** Splits the messages, in order, so that no address becomes too long. */
  parts(messages) {
    const fits = (part) => this.#address(part).length <= URL_LIMIT;
    const parts = [];
    for (const message of messages) {
      if (!fits([message])) throw new Unsent("too long a message for callback-polling");
      if (parts.length && fits([...parts.at(-1), message])) parts.at(-1).push(message);
      else parts.push([message]);
    }
    return parts;
  }

  async exchange(messages, signal) {
    const callback = `bayeux_${(CallbackPolling.#lastCallback += 1)}`;
    const script = document.createElement("script");
    const ended = new AbortController();
    try {
      await new Promise((resolve, reject) => {
        const fail = () => reject(new Error("the server cannot be reached"));
        window[callback] = (answer) => resolve(this.receive(answer));
        script.onload = fail; // changes nothing if the script has called
        script.onerror = fail;
        const abort = () => reject(signal.reason);
        signal.addEventListener("abort", abort, { signal: ended.signal });
        script.src = this.#address(messages, callback);
        document.head.append(script);
      });
    } finally {
      ended.abort();
      script.remove();
      window[callback] = () => {}; // a script that is aborted may still come and call
      if (!signal.aborted) delete window[callback];
    }
  }

  fetch(messages, options) {
    return fetch(this.#address(messages), options);
  }

  #address(messages, callback = "bayeux_0000000") {
    const text = encodeURIComponent(JSON.stringify(messages));
    return `${this.url}?jsonp=${callback}&message=${text}`;
  }
}

/** The transports by the names that Bayeux gives them. */
export const TRANSPORTS = {
  websocket: WebSocketTransport,
  "long-polling": LongPolling,
  "callback-polling": CallbackPolling,
};
