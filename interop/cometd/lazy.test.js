// Messages of a lazy channel wait for company, but not longer than the channel's time.

import assert from 'node:assert/strict';

import {overEveryTransport} from '../lib/cometd.js';

overEveryTransport('a lazy message comes after about a second', async ({connect}) => {
  const subscriber = await connect();
  const publisher = await connect();
  const inbox = await subscriber.subscribe('/demo/lazy');

  const start = performance.now();
  await publisher.publish('/demo/lazy', 'no hurry');
  assert.equal((await inbox.next()).data, 'no hurry');
  const elapsed = performance.now() - start;
  assert.ok(elapsed > 500 && elapsed < 2_500, `${elapsed} ms`);
});

overEveryTransport('an ordinary message takes waiting lazy ones along', async ({connect}) => {
  const subscriber = await connect();
  const publisher = await connect();
  const order = [];
  const lazy = await subscriber.subscribe('/demo/lazy');
  const prompt = await subscriber.subscribe('/prompt');
  for (const channel of ['/demo/lazy', '/prompt']) {
    subscriber.cometd.addListener(channel, () => order.push(channel));
  }

  const start = performance.now();
  await publisher.publish('/demo/lazy', 'no hurry');
  await publisher.publish('/prompt', 'now');
  await prompt.next();
  await lazy.next();
  assert.ok(performance.now() - start < 700, 'the lazy message was not taken along');
  assert.deepEqual(order, ['/demo/lazy', '/prompt']);
});
