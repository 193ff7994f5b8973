// What is before or behind a proxy goes away and comes back.

import assert from 'node:assert/strict';

import {extension} from '../lib/cometd.js';
import {behindEveryProxy} from '../lib/proxy.js';

const ROUND = 20;

behindEveryProxy('the server stops and starts: clients are back with their subscriptions', async (scene) => {
  const {newClient, connect, restart} = scene;
  const client = newClient();
  const received = client.listen('/after');
  const subscribed = client.listen('/meta/subscribe');
  client.cometd.addListener('/meta/handshake', ({successful}) => {
    if (successful) client.cometd.subscribe('/after', () => {});
  });
  await client.connect();
  await subscribed.next();
  const old = client.cometd.getClientId();

  await restart();

  const again = await client.rehandshake(old);
  assert.notEqual(again.clientId, old);
  assert.equal((await subscribed.next()).successful, true);
  const publisher = await connect();
  for (let n = 0; n < ROUND; n++) await publisher.publish('/after', n);
  const messages = await received.take(ROUND);
  assert.deepEqual(messages.map(({data}) => data), Array.from({length: ROUND}, (_, n) => n));
});

behindEveryProxy('a publish while the server is away is reported to the caller', async ({demo, connect}) => {
  const client = await connect();
  // One that is asked to stop would have the client keep its messages for the next.
  await demo.stop('SIGKILL');
  const reply = await client.publish('/lost', 1);
  assert.equal(reply.successful, false);
  assert.ok(reply.failure, reply.error);
});

for (const [what, replace] of [
  ['stops and starts', (proxy) => proxy.stop().then(() => proxy.start())],
  ['is reloaded', (proxy) => proxy.reload()],
]) {
  behindEveryProxy(
    `the proxy ${what}: nothing that is acknowledged is lost or doubled`,
    async ({demo, connect, newClient, proxy}) => {
      const subscriber = newClient();
      subscriber.cometd.registerExtension('ack', await extension('AckExtension'));
      await subscriber.connect();
      const inbox = await subscriber.subscribe('/sure');
      const publisher = await connect({origin: demo.origin});

      let sent = 0;
      const publish = async () => {
        for (let n = 0; n < ROUND; n++) await publisher.publish('/sure', sent++);
      };
      for (let round = 0; round < 3; round++) await Promise.all([publish(), replace(proxy)]);
      await publish();

      await inbox.find(({data}) => data === sent - 1, 'the last message');
      assert.deepEqual(inbox.all.map(({data}) => data), Array.from({length: sent}, (_, n) => n));
      assert.equal(subscriber.handshakes.all.length, 1);
    },
    {options: {maxInterval: 30_000}},
  );
}
