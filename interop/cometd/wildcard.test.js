// Wildcard subscriptions receive what they match and nothing else.

import assert from 'node:assert/strict';

import {overEveryTransport} from '../lib/cometd.js';

const CHANNELS = ['/wild', '/wild/a', '/wild/a/b', '/wild/a/b/c', '/other/a'];
const MATCHES = {
  '/wild/*': ['/wild/a'],
  '/wild/**': ['/wild/a', '/wild/a/b', '/wild/a/b/c'],
  '/wild/a/*': ['/wild/a/b'],
  '/wild/a/b': ['/wild/a/b'],
};

for (const [pattern, expected] of Object.entries(MATCHES)) {
  overEveryTransport(`${pattern} receives what it matches`, async ({connect}) => {
    const subscriber = await connect();
    const publisher = await connect();
    const inbox = await subscriber.subscribe(pattern);
    const end = await subscriber.subscribe('/end');

    for (const channel of CHANNELS) await publisher.publish(channel, channel);
    await publisher.publish('/end', 'end');
    await end.next();

    assert.deepEqual(inbox.all.map(({channel}) => channel), expected);
    assert.deepEqual(inbox.all.map(({data}) => data), expected);
  });
}

overEveryTransport('a message comes once to a client that subscribed to it thrice', async ({connect}) => {
  const client = await connect();
  const raw = client.listen('/wild/a');
  await client.subscribe('/wild/*');
  await client.subscribe('/wild/**');
  await client.subscribe('/wild/a');
  const end = await client.subscribe('/end');

  await client.publish('/wild/a', 'once');
  await client.publish('/end', 'end');
  await end.next();
  assert.equal(raw.all.length, 1);
});
