// The npm package `faye`'s client, in the version that the environment variable FAYE names, held to one transport.

import {scenario} from './scenario.js';
import {Inbox, within} from './wait.js';

const VERSION = process.env.FAYE ?? '1.4';
const {default: faye} = await import(VERSION === '1.4' ? 'faye' : `faye-${VERSION}`);

/** A client whose handshakes, subscriptions and publications can be awaited. */
export class Client {
  /** Every message that came in or went out, as the extension hooks saw it. */
  incoming = new Inbox('incoming');
  outgoing = new Inbox('outgoing');

  constructor(url, transport) {
    this.faye = new faye.Client(url, {retry: 0.2});
    if (transport !== 'websocket') this.faye.disable('websocket');
    this.faye.addExtension({
      incoming: (message, pass) => {
        this.incoming.push(message);
        pass(message);
      },
      outgoing: (message, pass) => {
        this.outgoing.push(structuredClone(message));
        pass(message);
      },
    });
  }

  /** Subscribes and gives the inbox of `{channel, data}`; throws the error of a refusal. */
  async subscribe(channel) {
    const inbox = new Inbox(channel);
    const subscription = this.faye
      .subscribe(channel)
      .withChannel((from, data) => inbox.push({channel: from, data}));
    await within(subscription, `reply to subscribe to ${channel}`);
    return Object.assign(inbox, {cancel: () => subscription.cancel()});
  }

  /** Publishes; throws the error of a refusal. */
  publish(channel, data) {
    return within(this.faye.publish(channel, data), `reply to publish to ${channel}`);
  }

  disconnect() {
    return within(this.faye.disconnect() ?? Promise.resolve(), 'reply to disconnect');
  }
}

/** Declares one scenario per transport; its body also gets a function that makes clients. */
export function overEveryTransport(name, body, options = {}) {
  for (const transport of ['websocket', 'long-polling']) {
    const run = (scene) => {
      const newClient = () => {
        const client = new Client(`${scene.demo.origin}/cometd`, transport);
        scene.atEnd(() => client.disconnect().catch(() => {}));
        return client;
      };
      return body({...scene, transport, newClient});
    };
    scenario(`${name}, over ${transport}`, run, {options});
  }
}
