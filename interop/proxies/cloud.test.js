// Two nodes of one cluster behind one proxy: who hears whom, and what a client loses with its node.

import assert from 'node:assert/strict';
import {setTimeout as delay} from 'node:timers/promises';

import {overEveryTransport} from '../lib/cometd.js';
import {startDemoNodes} from '../lib/demo-nodes.js';
import {PROXIES, startProxy} from '../lib/proxy.js';
import {within} from '../lib/wait.js';

const SHARED = '/news';
/** What is published here stays at its node. */
const LOCAL = '/where';
/** How long a node may take to be a member again. */
const LONG = 30_000;

for (const kind of PROXIES) {
  overEveryTransport(
    `a client hears the clients of all nodes, and goes on at the other one when its own is gone, behind ${kind}`,
    async ({atEnd, newClient, connect}) => {
      const options = {maxSessionsPerBrowser: -1};
      const cloud = await startDemoNodes(atEnd, {options, args: ['--oort-channels', SHARED]});
      const proxy = await startProxy(kind, cloud.nodes.map(({port}) => port));
      atEnd(() => proxy.close());

      const client = newClient({origin: proxy.origin});
      const received = client.listen(SHARED);
      const subscribed = client.listen('/meta/subscribe');
      client.cometd.addListener('/meta/handshake', ({successful}) => {
        if (successful) client.cometd.subscribe(SHARED, () => {});
      });
      await client.connect();
      await subscribed.next();

      /** A client of one node, that does not come by the proxy, and has what came to it. */
      const witness = async ({origin}) => {
        const direct = await connect({origin});
        return {
          publish: (...what) => direct.publish(...what),
          shared: await direct.subscribe(SHARED),
          local: await direct.subscribe(LOCAL),
        };
      };
      /** Publishes until the other has it: from then on all comes. */
      const reach = async (from, inbox, word) => {
        const arrived = inbox.find(({data}) => data === word, word, LONG);
        let isThere = false;
        arrived.then(() => (isThere = true), () => {});
        while (!isThere) {
          await from.publish(SHARED, word);
          await Promise.race([arrived, delay(200)]);
        }
      };
      const count = (inbox, word) => inbox.all.filter(({data}) => data === word).length;

      const witnesses = [];
      for (const node of cloud.nodes) witnesses.push(await witness(node));
      await reach(witnesses[0], witnesses[1].shared, 'one to two');
      await reach(witnesses[1], witnesses[0].shared, 'two to one');
      await client.publish(LOCAL, 'here');
      const home = await within(
        Promise.any(witnesses.map(({local}, n) => local.next().then(() => n))),
        'the node of the client',
      );

      // Each has what each says, once.
      const inboxes = [received, ...witnesses.map(({shared}) => shared)];
      const say = async (from, word) => {
        assert.equal((await from.publish(SHARED, word)).successful, true);
        for (const inbox of inboxes) await inbox.find(({data}) => data === word, word);
      };
      for (const [n, from] of [client, ...witnesses].entries()) await say(from, `first ${n}`);
      for (const [n, from] of [client, ...witnesses].entries()) await say(from, `second ${n}`);
      for (const inbox of inboxes) {
        for (let n = 0; n < 3; n++) assert.equal(count(inbox, `first ${n}`), 1);
      }

      const old = client.cometd.getClientId();
      await cloud.nodes[home].stop();
      await client.rehandshake(old);
      assert.equal((await subscribed.next()).successful, true);
      const other = witnesses[1 - home];
      await client.publish(LOCAL, 'there');
      await other.local.find(({data}) => data === 'there', 'the client at the other node');
      await other.publish(SHARED, 'I am here, too');
      await received.find(({data}) => data === 'I am here, too', 'a message of the other node');

      // The node comes back, and its new clients are heard.
      const back = await witness(await cloud.again(cloud.nodes[home]));
      await reach(client, back.shared, 'welcome');
      await reach(back, received, 'thank you');
    },
  );
}
