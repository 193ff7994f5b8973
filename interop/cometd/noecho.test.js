// A channel without broadcast to the publisher reaches everybody but the publisher.

import assert from 'node:assert/strict';

import {overEveryTransport} from '../lib/cometd.js';

overEveryTransport('the publisher is spared its own message', async ({connect}) => {
  const publisher = await connect();
  const subscriber = await connect();
  const own = await publisher.subscribe('/demo/noecho');
  const end = await publisher.subscribe('/end');
  const theirs = await subscriber.subscribe('/demo/noecho');

  await publisher.publish('/demo/noecho', 'for you');
  await publisher.publish('/end', 'end');
  assert.equal((await theirs.next()).data, 'for you');
  await end.next();
  assert.equal(own.all.length, 0);
});
