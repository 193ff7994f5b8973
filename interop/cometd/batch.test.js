// The messages of a batch are processed in order, and each has its reply.

import assert from 'node:assert/strict';

import {overEveryTransport} from '../lib/cometd.js';

overEveryTransport('a batch is processed in its order', async ({connect}) => {
  const client = await connect();
  const seen = client.listen('/batch');
  const end = await client.subscribe('/end');

  const replies = [];
  const {cometd} = client;
  cometd.batch(() => {
    cometd.publish('/batch', 'too early', () => replies.push('early'));
    const subscription = cometd.subscribe('/batch', () => {}, () => replies.push('subscribed'));
    cometd.publish('/batch', 1, () => replies.push(1));
    cometd.publish('/batch', 2, () => replies.push(2));
    cometd.unsubscribe(subscription, () => replies.push('unsubscribed'));
    cometd.publish('/batch', 'too late', () => replies.push('late'));
    cometd.publish('/end', 'end');
  });
  await end.next();
  await client.publish('/end', 'all replies are here');

  assert.deepEqual(seen.all.map(({data}) => data), [1, 2]);
  assert.deepEqual(replies, ['early', 'subscribed', 1, 2, 'unsubscribed', 'late']);
});

overEveryTransport('a refused message does not spoil its batch', async ({connect}) => {
  const client = await connect();
  const inbox = await client.subscribe('/fine');
  const replies = [];
  client.cometd.batch(() => {
    client.cometd.publish('/fine', 1, (reply) => replies.push(reply.successful));
    client.cometd.publish('/demo/readonly', 'no', (reply) => replies.push(reply.successful));
    client.cometd.publish('/fine', 2, (reply) => replies.push(reply.successful));
  });
  await inbox.take(2);
  await client.publish('/fine', 'all replies are here');
  assert.deepEqual(replies, [true, false, true]);
});

overEveryTransport('what is sent before the handshake reply goes out after it', async ({newClient}) => {
  const client = newClient();
  const handshake = client.handshake();
  const inbox = await client.subscribe('/early');
  await client.publish('/early', 'worm');
  assert.equal((await handshake).successful, true);
  assert.equal((await inbox.next()).data, 'worm');
});
