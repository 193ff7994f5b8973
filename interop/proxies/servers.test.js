// Two servers behind one proxy, which knows to which of them each client belongs.

import assert from 'node:assert/strict';

import {overEveryTransport} from '../lib/cometd.js';
import {startDemo} from '../lib/demo.js';
import {PROXIES, startProxy} from '../lib/proxy.js';

for (const kind of PROXIES) {
  overEveryTransport(
    `a client stays with its server, and goes on with the other one when that is gone, behind ${kind}`,
    async ({demo, atEnd, newClient, connect}) => {
      const other = await startDemo({options: {maxSessionsPerBrowser: -1}});
      atEnd(() => other.stop());
      const servers = [demo, other];
      const proxy = await startProxy(kind, servers.map(({port}) => port));
      atEnd(() => proxy.close());
      const witnesses = [];
      for (const {origin} of servers) witnesses.push(await (await connect({origin})).subscribe('/where'));

      const client = newClient({origin: proxy.origin});
      const received = client.listen('/news');
      const subscribed = client.listen('/meta/subscribe');
      client.cometd.addListener('/meta/handshake', ({successful}) => {
        if (successful) client.cometd.subscribe('/news', () => {});
      });
      const publish20 = async () => {
        for (let n = 0; n < 20; n++) {
          const reply = await client.publish('/news', n);
          assert.equal(reply.successful, true, reply.error);
        }
        const messages = await received.take(20);
        assert.deepEqual(messages.map(({data}) => data), Array.from({length: 20}, (_, n) => n));
      };
      await client.connect();
      await subscribed.next();
      await publish20();
      assert.equal(client.handshakes.all.length, 1);
      await client.publish('/where', 'here');
      const here = witnesses.map((witness, server) => witness.next().then(() => server));
      const home = await Promise.any(here);

      const old = client.cometd.getClientId();
      await servers[home].stop();

      await client.rehandshake(old);
      assert.equal((await subscribed.next()).successful, true);
      await publish20();
      await client.publish('/where', 'there');
      await witnesses[1 - home].find(({data}) => data === 'there', 'the message at the other server');
    },
  );
}
