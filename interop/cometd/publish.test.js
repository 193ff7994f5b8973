// What is published reaches the subscribers, and nobody else.

import assert from 'node:assert/strict';

import {overEveryTransport} from '../lib/cometd.js';

overEveryTransport('a subscriber receives what another client publishes', async ({connect}) => {
  const subscriber = await connect();
  const publisher = await connect();
  const inbox = await subscriber.subscribe('/news');

  const reply = await publisher.publish('/news', {text: 'hello', list: [1, null, true, {}]});
  assert.equal(reply.successful, true);
  assert.equal(reply.channel, '/news');

  const message = await inbox.next();
  assert.equal(message.channel, '/news');
  assert.deepEqual(message.data, {text: 'hello', list: [1, null, true, {}]});
  assert.equal('clientId' in message, false);
});

overEveryTransport('a publisher that subscribed receives its own message', async ({connect}) => {
  const client = await connect();
  const inbox = await client.subscribe('/news');
  await client.publish('/news', 'to myself');
  assert.equal((await inbox.next()).data, 'to myself');
});

overEveryTransport('data of every JSON kind arrives as it was', async ({connect}) => {
  const client = await connect();
  const inbox = await client.subscribe('/kinds');
  const kinds = ['', 'text', 0, -1.5, 1e300, true, false, [], {}, [[]], {a: {b: [{c: null}]}}];
  for (const data of kinds) await client.publish('/kinds', data);
  const received = await inbox.take(kinds.length);
  assert.deepEqual(received.map(({data}) => data), kinds);
});

overEveryTransport('after unsubscribing nothing more arrives', async ({connect}) => {
  const client = await connect();
  const seen = client.listen('/fading');
  const marker = await client.subscribe('/marker');
  await client.subscribe('/fading');
  await client.publish('/fading', 1);
  await seen.next();

  client.cometd.clearSubscriptions();
  await new Promise((resolve) =>
    client.cometd.unsubscribe(client.cometd.subscribe('/fading', () => {}), resolve),
  );
  const again = await client.subscribe('/marker');
  await client.publish('/fading', 2);
  await client.publish('/marker', 'end');
  await again.next();
  assert.deepEqual(seen.all.map(({data}) => data), [1]);
  assert.equal(marker.all.length, 0);
});
