// The npm package `faye`'s server at /cometd.

import faye from 'faye';

import {http, listen, timeout} from './program.js';

// Its time is in seconds. A client that sends no connect for twice that time is forgotten.
const server = new faye.NodeAdapter({mount: '/cometd', timeout: timeout / 1_000});

// A service cannot send to one client, but an extension can put data into the reply to its message.
const questions = new Map();
const key = ({clientId, id}) => `${clientId} ${id}`;

const incoming = {
  '/service/echo': (message) => questions.set(key(message), message.data),
  '/service/fail': (message) => (message.error = '500::failed'),
  // Goes to every subscriber of the channel, not to the sender alone.
  '/service/many': async ({data: {count, channel}}) => {
    // One after the other: what is published while the first handshake goes on may be overtaken.
    for (let n = 0; n < count; n++) await server.getClient().publish(channel, {n});
  },
  '/denied': (message) => (message.error = '403::publish_denied'),
  '/meta/subscribe': (message) => {
    if ([message.subscription].flat().includes('/denied')) message.error = '403::subscribe_denied';
  },
};

server.addExtension({
  incoming(message, pass) {
    incoming[message.channel]?.(message);
    pass(message);
  },
  outgoing(message, pass) {
    if (message.channel === '/service/echo' && message.successful) {
      message.data = questions.get(key(message));
      questions.delete(key(message));
    }
    pass(message);
  },
});

server.attach(http);
listen();
