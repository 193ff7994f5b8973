// A small Bayeux client for browsers: one session with one server, over websocket, long-polling or
// callback-polling. It keeps its subscriptions across sessions and obeys the server's advice, and if the server
// takes acknowledgements, no message is lost as long as the session lasts.
//
//     disconnected ── handshake() ──▶ connecting ── first connect answered ──▶ connected
//          ▲                                                                  │      ▲
//          │ disconnect(), advice "none"                       connect failed ▼      │ answered
//          └────────────────────────────────────────────────────────────── reconnecting
//
// Events: "status" when `client.status` has changed; "session" when a handshake has made a new
// session, inside the batch that restores the subscriptions.

import { Acknowledgements } from "./ack.js";
import { Unsent, duration, explain } from "./reasons.js";
import { TRANSPORTS } from "./transports.js";
import { onWake } from "./wake.js";

const PATIENCE = 10_000; // ms a reply may take, beyond the time the server may hold a connect
const LIVENESS = 4_000; // ms within which a server shows that it is there still
const BACKOFF_STEP = 1_000; // ms added to the pause by each failure in a row
const BACKOFF_LIMIT = 30_000;
const DEFAULT_ADVICE = { reconnect: "retry", interval: 0, timeout: 60_000 };

/** A refusal by the server, whose message is `reply`; what else goes wrong is a plain error. */
class Refusal extends Error {
  constructor(reply) {
    super(reply.ext?.reason ?? explain(reply.error));
    this.reply = reply;
  }
}

export class Bayeux extends EventTarget {
  ext; // what the next handshakes say in their `ext`
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
  #acknowledgements = new Acknowledgements();
  #heardAt = 0;
  #endPause = () => {};
  #isProbing = false;

  constructor(url) {
    super();
    this.#url = String(url);
    onWake(() => this.#wake());
  }

  /** `{state, transport, clientId, reason, retryIn, detail}`; the last three explain a failure. */
  get status() {
    return this.#status;
  }

  /** When the server was last heard of, as `Date.now()` has it. */
  get heardAt() {
    return this.#heardAt;
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
      if (pause > 0) await this.#pause(pause);
    }
  }

  #pause(ms) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Tries again at once, or has the server show that it is there still: nobody tells of a link that is dead. */
  async #wake() {
    this.#endPause();
    const transport = this.#transport;
    if (this.#status.state !== "connected" || this.#isProbing) return;
    this.#isProbing = true;
    try {
      await this.#request({ channel: "/service/alive", data: {} }, { patience: LIVENESS });
    } catch (error) {
      // Any other answer is a sign of life.
      const isGone = !error.reply || error.reply.error?.startsWith("402:");
      if (isGone && transport === this.#transport) this.#failRequests(error);
    } finally {
      this.#isProbing = false;
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
    this.#report(state, error.message, pause + this.#advice.interval, error.reply?.error);
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
      ext: { ...this.ext, ...this.#acknowledgements.offer },
    });
    if (!reply.supportedConnectionTypes?.includes(name)) {
      this.#advice = { ...DEFAULT_ADVICE, reconnect: "none" };
      throw new Error("the server does not offer this transport");
    }
    this.#acknowledgements.begin(reply.ext?.ack);
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
    message.ext = this.#acknowledgements.told;
    const reply = await this.#request(message, { patience: PATIENCE + (isFirst ? 0 : this.#advice.timeout) });
    this.#acknowledgements.take(reply.ext?.ack);
    if (!this.#transport || this.#isLeaving) return;
    const isShared = this.#advice["multiple-clients"];
    const pace = `another tab is connected too: polling every ${duration(this.#advice.interval)}`;
    this.#report("connected", isShared ? pace : undefined);
  }

  #stop(reason) {
    const transport = this.#transport;
    this.#transport = null;
    this.#clientId = undefined;
    transport.reset();
    this.#failRequests(new Error("disconnected"));
    this.#report("disconnected", reason);
  }

  #report(state, reason, retryIn, detail) {
    const before = this.#status;
    const transport = this.#transport?.name;
    this.#status = { state, transport, clientId: this.#clientId, reason, retryIn, detail };
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
      return Promise.reject(new Unsent("not connected"));
    }
    const id = this.#nextId();
    return new Promise((resolve, reject) => {
      const giveUp = () => this.#settle(id, new Error("the server did not answer in time"));
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
    this.#heardAt = Date.now();
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
    else request.reject(new Refusal(outcome));
  }

  #failRequests(error) {
    for (const id of [...this.#requests.keys()]) this.#settle(id, error);
  }
}
