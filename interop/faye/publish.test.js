// The faye client subscribes and publishes.

import assert from 'node:assert/strict';

import {overEveryTransport} from '../lib/faye.js';

overEveryTransport('a subscriber receives what another client publishes', async (scene) => {
  const {newClient, transport} = scene;
  const subscriber = newClient();
  const inbox = await subscriber.subscribe('/news');
  await newClient().publish('/news', {text: 'Grüße 😀'});
  assert.deepEqual(await inbox.next(), {channel: '/news', data: {text: 'Grüße 😀'}});

  const connect = await subscriber.outgoing.find(
    ({channel, connectionType}) => channel === '/meta/connect' && connectionType === transport,
    `a connect over ${transport}`,
  );
  assert.ok(connect.clientId);
});

overEveryTransport('100 messages arrive once and in order', async ({newClient}) => {
  const inbox = await newClient().subscribe('/many');
  const publisher = newClient();
  const numbers = Array.from({length: 100}, (_, n) => n);
  for (const n of numbers) await publisher.publish('/many', n);
  const received = await inbox.take(numbers.length);
  assert.deepEqual(received.map(({data}) => data), numbers);
  assert.equal(inbox.all.length, numbers.length);
});

overEveryTransport('wildcards receive what they match', async ({newClient}) => {
  const subscriber = newClient();
  const shallow = await subscriber.subscribe('/wild/*');
  const deep = await subscriber.subscribe('/wild/**');
  const end = await subscriber.subscribe('/end');
  const publisher = newClient();
  for (const channel of ['/wild/a', '/wild/a/b', '/tame/a', '/end']) {
    await publisher.publish(channel, channel);
  }
  await end.next();
  assert.deepEqual(shallow.all.map(({data}) => data), ['/wild/a']);
  assert.deepEqual(deep.all.map(({data}) => data), ['/wild/a', '/wild/a/b']);
});

overEveryTransport('a cancelled subscription receives nothing more', async ({newClient}) => {
  const client = newClient();
  const inbox = await client.subscribe('/fading');
  const end = await client.subscribe('/end');
  await client.publish('/fading', 1);
  await inbox.next();
  inbox.cancel();
  await client.incoming.find(({channel}) => channel === '/meta/unsubscribe', 'the reply');
  await client.publish('/fading', 2);
  await client.publish('/end', 'end');
  await end.next();
  const arrived = client.incoming.all.filter(({channel, data}) => channel === '/fading' && data);
  assert.deepEqual(arrived.map(({data}) => data), [1]);
});

overEveryTransport('the echo service answers', async ({newClient}) => {
  const client = newClient();
  const echo = await client.subscribe('/service/echo');
  await client.publish('/service/echo', {n: 7});
  assert.deepEqual((await echo.next()).data, {n: 7});
});
