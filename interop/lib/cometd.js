// The npm package `cometd`, in the version that the environment variable COMETD names, with promises around it;
// `isomorphic` is the package that brings version 9 and its adapter by itself.

import {scenario} from './scenario.js';
import {Inbox, within} from './wait.js';

const ISOMORPHIC = process.env.COMETD === 'isomorphic';
export const VERSION = ISOMORPHIC ? 9 : Number(process.env.COMETD ?? 9);

const load = async (name) => {
  const module = await import(name);
  return module.default ?? module;
};
async function loadWithAdapter() {
  // Version 9 is an ES module and wants version 2 of the adapter; the older ones go with version 1.
  const adapter = await load(VERSION >= 9 ? 'cometd-nodejs-client-2' : 'cometd-nodejs-client-1');
  adapter.adapt();
  return load(`cometd-${VERSION}`);
}
const library = ISOMORPHIC ? (await load('isomorphic-cometd')).default : await loadWithAdapter();

/** A new extension of the library, by its class name, such as `AckExtension`. */
export async function extension(name) {
  const Extension = VERSION >= 9 ? library[name] : await load(`cometd-${VERSION}/${name}.js`);
  return new Extension();
}

/** The transports that the package has under Node.js. */
export const TRANSPORTS = ['websocket', 'long-polling'];

let listening = 0;

/** A client of one transport. */
export class Client {
  #url;
  #config;

  constructor(url, transport, config = {}) {
    this.#url = url;
    this.#config = config;
    this.cometd = new library.CometD();
    for (const other of this.cometd.getTransportTypes()) {
      if (other !== transport) this.cometd.unregisterTransport(other);
    }
    this.handshakes = this.listen('/meta/handshake');
    this.connects = this.listen('/meta/connect');
    this.asked = new Inbox('the connects sent');
    this.cometd.registerExtension('asked', {
      outgoing: (message) => {
        if (message.channel === '/meta/connect') this.asked.push(message);
      },
    });
  }

  /** What arrives on `channel`, whether or not this client subscribed to it. */
  listen(channel) {
    const inbox = new Inbox(channel);
    if (channel.startsWith('/meta/')) {
      this.cometd.addListener(channel, (message) => inbox.push(message));
    } else {
      // A listener would count as a subscription, and keep the library from sending the real one.
      const incoming = (message) => {
        if (message.channel === channel && message.data !== undefined) inbox.push(message);
        return message;
      };
      this.cometd.registerExtension(`listen${++listening}`, {incoming});
    }
    return inbox;
  }

  /** Handshakes and gives the reply, good or bad. */
  async handshake(props) {
    this.cometd.configure({
      url: this.#url,
      logLevel: 'warn',
      maxNetworkDelay: 5_000,
      backoffIncrement: 100,
      maxSendBayeuxMessageSize: 1_000_000,
      ...this.#config,
    });
    return this.#reply('handshake', (done) => this.cometd.handshake(props ?? {}, done));
  }

  /** Handshakes and waits for the first answered `/meta/connect`. */
  async connect(props) {
    const reply = await this.handshake(props);
    if (!reply.successful) throw new Error(`handshake failed: ${JSON.stringify(reply)}`);
    await this.connects.find((message) => message.successful, 'a successful connect');
    return this;
  }

  /** Subscribes and gives the inbox of the messages; a refusal is thrown as its reply's text. */
  async subscribe(channel) {
    const inbox = new Inbox(channel);
    const reply = await this.#reply(`subscribe to ${channel}`, (done) =>
      this.cometd.subscribe(channel, (message) => inbox.push(message), done),
    );
    if (!reply.successful) throw new Error(reply.error ?? JSON.stringify(reply));
    return inbox;
  }

  /** Publishes and gives the reply, good or bad. */
  publish(channel, data) {
    return this.#reply(`publish to ${channel}`, (done) => this.cometd.publish(channel, data, done));
  }

  publishBinary(channel, data, last, meta) {
    return this.#reply(`publish to ${channel}`, (done) =>
      this.cometd.publishBinary(channel, data, last, meta, done),
    );
  }

  remoteCall(target, data) {
    return this.#reply(`call ${target}`, (done) => this.cometd.remoteCall(target, data, done));
  }

  disconnect() {
    return this.#reply('disconnect', (done) => this.cometd.disconnect(done));
  }

  /** Waits for the handshake reply after the one that made the session `old`. */
  rehandshake(old) {
    return this.handshakes.find(
      (reply) => reply.successful && reply.clientId !== old,
      `a handshake after ${old}`,
      20_000,
    );
  }

  /** Leaves without a word to the server. */
  abandon() {
    const transport = this.cometd.getTransport();
    this.cometd.registerExtension('abandoned', {outgoing: () => null});
    transport?.abort();
  }

  #reply(what, send) {
    return within(new Promise((resolve) => send(resolve)), `reply to ${what}`);
  }
}

/** Declares one scenario per transport; its body also gets functions that make clients. */
export function overEveryTransport(name, body, {options = {}, transports = TRANSPORTS} = {}) {
  // All clients of this process share their cookies, so to the server they are tabs of one browser.
  const settings = {options: {maxSessionsPerBrowser: -1, ...options}};
  for (const transport of transports) {
    const run = (scene) => {
      const newClient = ({origin = scene.demo.origin, ...config} = {}) => {
        const client = new Client(`${origin}/cometd`, transport, config);
        scene.atEnd(() => client.abandon());
        return client;
      };
      const connect = (config) => newClient(config).connect();
      return body({...scene, transport, newClient, connect});
    };
    scenario(`${name}, over ${transport}`, run, settings);
  }
}
