// A small Bayeux client for browsers: one session with one server, over websocket, long-polling or
// callback-polling. It keeps its subscriptions across sessions and obeys the server's advice.
//
//     disconnected ── handshake() ──▶ connecting ── first connect answered ──▶ connected
//          ▲                                                                  │      ▲
//          │ disconnect(), advice "none"                       connect failed ▼      │ answered
//          └────────────────────────────────────────────────────────────── reconnecting
//
// Events: "status" when `client.status` has changed; "session" when a handshake has made a new
// session, inside the batch that restores the subscriptions.

const PATIENCE = 10_000; // ms a reply may take, beyond the time the server may hold a connect
const BACKOFF_STEP = 1_000; // ms added to the pause by each failure in a row
const BACKOFF_LIMIT = 30_000;
const URL_LIMIT = 2_000; // characters in the address of a callback-polling request
const DEFAULT_ADVICE = { reconnect: "retry", interval: 0, timeout: 60_000 };

/** What went wrong; `reply` is the server's message, if it is the server that refused. */
export class BayeuxError extends Error {
  constructor(text, reply) {
    super(text);
    this.reply = reply;
  }
}

export class Bayeux extends EventTarget {
  #url;
  #transport = null;
  #clientId;
  #advice = DEFAULT_ADVICE;
  #status = { state: "disconnected" };
  #lastId = 0;
  #requests = new Map(); // id → what awaits the reply
  #listeners = new Map(); // channel → set of functions
  #batch = null;
  #isLeaving = false;

  constructor(url) {
    super();
    this.#url = String(url);
  }

  /** `{state, transport, clientId, reason, retryIn}`; the last two explain a failure. */
  get status() {
    return this.#status;
  }

  /** Starts a session over the named transport and keeps it alive until `disconnect`. */
  handshake(transportName) {
    if (this.#transport) this.#stop();
    const transport = new TRANSPORTS[transportName](this.#url, {
      receive: (messages) => transport === this.#transport && this.#receive(messages),
      lost: (error) => transport === this.#transport && this.#failRequests(error),
    });
    this.#transport = transport;
    this.#isLeaving = false;
    this.#report("connecting");
    this.#keepAlive(transport);
  }

  /** Ends the session; the promise settles when the server has answered, or is not going to. */
  async disconnect() {
    const transport = this.#transport;
    if (!transport) return;
    this.#isLeaving = true;
    await this.#request({ channel: "/meta/disconnect" }, { patience: 2_000 }).catch(() => {});
    if (transport === this.#transport) this.#stop();
  }

  /** Ends the session while the page is unloaded, with the messages of the batch it is in. */
  abandon() {
    const goodbye = { channel: "/meta/disconnect", id: this.#nextId(), clientId: this.#clientId };
    if (this.#clientId) this.#transport.sendLast([...(this.#batch ?? []), goodbye]);
    if (this.#batch) this.#batch = [];
    if (this.#transport) this.#stop();
  }

  /** Calls `listener` with each message of the channel, in this session and those after it. */
  async subscribe(channel, listener) {
    const listeners = this.#listeners.get(channel);
    if (listeners) return void listeners.add(listener);
    this.#listeners.set(channel, new Set([listener]));
    if (this.#clientId) await this.#askToSubscribe(channel);
  }

  async unsubscribe(channel, listener) {
    const listeners = this.#listeners.get(channel);
    if (!listeners?.delete(listener) || listeners.size) return;
    this.#listeners.delete(channel);
    const message = { channel: "/meta/unsubscribe", subscription: channel };
    if (this.#clientId) await this.#request(message);
  }

  /** Publishes `data`; the promise resolves with the server's reply. */
  publish(channel, data) {
    return this.#request({ channel, data });
  }

  /** Calls the server's remote procedure `target`; the promise resolves with its result. */
  async remoteCall(target, data) {
    const result = await this.#request({ channel: `/service/${target}`, data }, { isCall: true });
    return result.data;
  }

  /** Sends the messages that `action` produces as one unit. */
  batch(action) {
    if (this.#batch) return action();
    this.#batch = [];
    try {
      return action();
    } finally {
      const messages = this.#batch;
      this.#batch = null;
      if (messages.length) this.#send(messages);
    }
  }

  // The life of a session: handshakes and connects, one at a time, as the server advises.

  async #keepAlive(transport) {
    const isOver = () => transport !== this.#transport || this.#isLeaving;
    let failures = 0; // in a row, until a connect succeeds
    while (!isOver()) {
      let pause = 0;
      try {
        if (!this.#clientId || this.#advice.reconnect === "handshake") await this.#shakeHands();
        await this.#connect();
        failures = 0;
      } catch (error) {
        if (isOver()) return;
        if (this.#advice.reconnect === "none") return this.#stop(error.message);
        pause = this.#recover(error, failures);
        failures += 1;
      }
      if (isOver()) return;
      if (this.#advice.reconnect === "none") return this.#stop("the server asked to stop");
      pause += this.#advice.interval;
      if (pause > 0) await sleep(pause);
    }
  }

  /** Clears up after a failure; returns how many ms to pause beyond the advised interval. */
  #recover(error, earlierFailures) {
    if (!error.reply) {
      this.#transport.reset();
      this.#failRequests(error);
    }
    const steps = error.reply?.advice ? earlierFailures : earlierFailures + 1;
    const pause = Math.min(BACKOFF_LIMIT, BACKOFF_STEP * steps);
    const state = this.#status.state === "connecting" ? "connecting" : "reconnecting";
    this.#report(state, error.message, pause + this.#advice.interval);
    return pause;
  }

  async #shakeHands() {
    const { name } = this.#transport;
    this.#clientId = undefined;
    this.#advice = DEFAULT_ADVICE;
    const reply = await this.#request({
      channel: "/meta/handshake",
      version: "1.0",
      minimumVersion: "1.0",
      supportedConnectionTypes: [name],
    });
    if (!reply.supportedConnectionTypes?.includes(name)) {
      this.#advice = { ...DEFAULT_ADVICE, reconnect: "none" };
      throw new BayeuxError(`the server offers no ${name}`);
    }
    this.#clientId = reply.clientId;
    this.#report(this.#status.state);
    try {
      await this.batch(() => this.#restore());
    } catch (error) {
      this.#clientId = undefined;
      throw error;
    }
  }

  /** Repeats the subscriptions in a new session; one that the server refuses is given up. */
  #restore() {
    const answers = [...this.#listeners.keys()].map((channel) =>
      this.#askToSubscribe(channel).catch((error) => {
        if (!error.reply) throw error;
        console.warn(`not subscribed to ${channel}: ${error.message}`);
      }),
    );
    this.dispatchEvent(new Event("session"));
    return Promise.all(answers);
  }

  async #connect() {
    const isFirst = this.#status.state !== "connected";
    const message = { channel: "/meta/connect", connectionType: this.#transport.name };
    if (isFirst) message.advice = { timeout: 0 };
    await this.#request(message, { patience: PATIENCE + (isFirst ? 0 : this.#advice.timeout) });
    if (!this.#transport || this.#isLeaving) return;
    const isShared = this.#advice["multiple-clients"];
    const pace = `another tab is connected too: polling every ${this.#advice.interval / 1000} s`;
    this.#report("connected", isShared ? pace : undefined);
  }

  #stop(reason) {
    const transport = this.#transport;
    this.#transport = null;
    this.#clientId = undefined;
    transport.reset();
    this.#failRequests(new BayeuxError("disconnected"));
    this.#report("disconnected", reason);
  }

  #report(state, reason, retryIn) {
    const before = this.#status;
    const transport = this.#transport?.name;
    this.#status = { state, transport, clientId: this.#clientId, reason, retryIn };
    const hasChanged = Object.keys(this.#status).some((key) => this.#status[key] !== before[key]);
    if (hasChanged) this.dispatchEvent(new Event("status"));
  }

  // Messages out.

  #askToSubscribe(channel) {
    const message = { channel: "/meta/subscribe", subscription: channel };
    return this.#request(message).catch((error) => {
      if (error.reply) this.#listeners.delete(channel);
      throw error;
    });
  }

  #request(message, { patience = PATIENCE, isCall = false } = {}) {
    if (!this.#transport || !(this.#clientId || message.channel === "/meta/handshake")) {
      return Promise.reject(new BayeuxError("not connected"));
    }
    const id = this.#nextId();
    return new Promise((resolve, reject) => {
      const giveUp = () => this.#settle(id, new BayeuxError("the server did not answer in time"));
      const timer = setTimeout(giveUp, patience);
      this.#requests.set(id, { channel: message.channel, isCall, timer, resolve, reject });
      const whole = { ...message, id, clientId: this.#clientId };
      if (this.#batch) this.#batch.push(whole);
      else this.#send([whole]);
    });
  }

  #send(messages) {
    this.#transport.send(messages).catch((error) => {
      for (const { id } of messages) this.#settle(id, error);
    });
  }

  #nextId() {
    this.#lastId += 1;
    return String(this.#lastId);
  }

  // Messages in. A reply has no data; a remote call ends with its result or with a failed reply.

  #receive(messages) {
    for (const message of messages) {
      const { channel, id, advice, successful } = message;
      if (advice) this.#advice = { ...DEFAULT_ADVICE, ...advice };
      if (channel === "/meta/disconnect" && !id) return this.#stop("the server ended the session");
      const request = this.#requests.get(id);
      const isCall = request?.isCall && request.channel === channel;
      if ("data" in message && !isCall) this.#deliver(message);
      else if ("data" in message || !isCall || !successful) this.#settle(id, message);
    }
  }

  #deliver(message) {
    for (const listener of this.#listeners.get(message.channel) ?? []) {
      try {
        listener(message);
      } catch (error) {
        reportError(error);
      }
    }
  }

  /** Ends the request with an error or with the server's answer. */
  #settle(id, outcome) {
    const request = this.#requests.get(id);
    if (!request) return;
    this.#requests.delete(id);
    clearTimeout(request.timer);
    if (outcome instanceof Error) request.reject(outcome);
    else if (outcome.successful) request.resolve(outcome);
    else request.reject(new BayeuxError(outcome.error ?? "refused by the server", outcome));
  }

  #failRequests(error) {
    for (const id of [...this.#requests.keys()]) this.#settle(id, error);
  }
}

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
    return new Promise((resolve, reject) => {
      socket.onopen = () => resolve(socket);
      socket.onmessage = (event) => this.#events.receive(JSON.parse(event.data));
      socket.onclose = (event) => {
        if (socket !== this.#socket) return;
        this.#socket = this.#opening = null;
        const error = new BayeuxError(`no WebSocket to the server (code ${event.code})`);
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
    this.#aborter.abort(new BayeuxError("disconnected"));
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
      throw new BayeuxError("the server cannot be reached");
    });
    if (!response.ok) throw new BayeuxError(`the server answered HTTP ${response.status}`);
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
      if (!fits([message])) throw new BayeuxError("too long a message for callback-polling");
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
        const fail = () => reject(new BayeuxError("the server sent no usable script"));
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
const TRANSPORTS = {
  websocket: WebSocketTransport,
  "long-polling": LongPolling,
  "callback-polling": CallbackPolling,
};

function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
