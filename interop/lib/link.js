// A TCP link to the server that a test can cut, close for a while, or make lose what it carries.

import {once} from 'node:events';
import net from 'node:net';

/** Opens a link to `port` of this machine; clients use its `origin` in place of the server's. */
export async function openLink(port) {
  const pairs = new Set();
  let open = true;
  let lossy = false;

  const server = net.createServer((client) => {
    if (!open) return client.destroy();
    const upstream = net.connect(port, '127.0.0.1');
    const pair = {client, upstream};
    pairs.add(pair);
    const end = () => {
      pairs.delete(pair);
      client.destroy();
      upstream.destroy();
    };
    client.on('data', (bytes) => upstream.write(bytes));
    upstream.on('data', (bytes) => (lossy ? loseAndCut() : client.write(bytes)));
    for (const socket of [client, upstream]) socket.on('close', end).on('error', end);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  const cut = () => pairs.forEach(({client}) => client.destroy());
  let lost = () => {};
  const loseAndCut = () => {
    lossy = false;
    cut();
    lost();
  };

  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    /** Ends every connection; new ones are welcome. */
    cut,
    /** Ends every connection the moment the server next sends something, which is lost. */
    loseNext() {
      lossy = true;
      return new Promise((resolve) => (lost = resolve));
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
      server.close();
      await once(server, 'close');
    },
  };
}
