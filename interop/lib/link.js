// A TCP link to the server that a test can cut, close or hold up for a while, or make lose what it carries.

import {once} from 'node:events';
import net from 'node:net';

import {within} from './wait.js';

/** Opens a link to `server`, which is as `net.connect` wants it; clients use its `origin` in place of the server's. */
export async function openLink(server) {
  const pairs = new Set();
  let open = true;
  let lossy = false;
  let held; // what is held up, in its order
  let awaited = {text: '', passed() {}};

  const pass = (action) => (held ? held.push(action) : action());

  const listener = net.createServer((client) => {
    if (!open) return client.destroy();
    const upstream = net.connect(server);
    const pair = {client, upstream};
    pairs.add(pair);
    const end = () => {
      pairs.delete(pair);
      client.destroy();
      upstream.destroy();
    };
    client.on('data', (bytes) => {
      pass(() => upstream.write(bytes));
      if (bytes.includes(awaited.text)) awaited.passed();
    });
    upstream.on('data', (bytes) => (lossy ? loseAndCut() : pass(() => client.write(bytes))));
    for (const socket of [client, upstream]) socket.on('close', () => pass(end)).on('error', () => {});
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');

  const cut = () => {
    held = undefined;
    pairs.forEach(({client}) => client.destroy());
  };
  let lost = () => {};
  const loseAndCut = () => {
    lossy = false;
    cut();
    lost();
  };

  return {
    port: listener.address().port,
    origin: `http://127.0.0.1:${listener.address().port}`,
    /** Ends every connection, and what is held up is lost; new ones are welcome. */
    cut,
    /** Holds up everything, ends too, until `release`. */
    hold() {
      held ??= [];
    },
    release() {
      const all = held ?? [];
      held = undefined;
      all.forEach((action) => action());
    },
    /** Ends every connection the moment the server next sends something, which is lost. */
    loseNext() {
      lossy = true;
      return new Promise((resolve) => (lost = resolve));
    },
    /** Waits until a client has sent `text`. */
    passes(text) {
      return within(new Promise((passed) => (awaited = {text, passed})), `${text} on the link`);
    },
    /** Refuses connections until `restore`. */
    interrupt() {
      open = false;
      cut();
    },
    restore() {
      open = true;
    },
    async close() {
      cut();
      listener.close();
      await once(listener, 'close');
    },
  };
}
