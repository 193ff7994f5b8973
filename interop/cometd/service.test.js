// Service channels answer the sender alone; remote calls have a result or a failure.

import assert from 'node:assert/strict';

import {overEveryTransport} from '../lib/cometd.js';

overEveryTransport('the echo service answers the sender alone', async ({connect}) => {
  const sender = await connect();
  const bystander = await connect();
  const overheard = bystander.listen('/service/echo');
  const end = await bystander.subscribe('/end');
  const echo = sender.listen('/service/echo');

  const reply = await sender.publish('/service/echo', {n: 7});
  assert.equal(reply.successful, true);
  assert.deepEqual((await echo.next()).data, {n: 7});

  await sender.publish('/end', 'end');
  await end.next();
  assert.equal(overheard.all.length, 0);
});

overEveryTransport('a remote call has a result', async ({connect}) => {
  const client = await connect();
  const reply = await client.remoteCall('rpc/echo', {question: 'why'});
  assert.equal(reply.successful, true);
  assert.deepEqual(reply.data, {question: 'why'});
});

overEveryTransport('a remote call fails with what went wrong', async ({connect}) => {
  const client = await connect();
  const reply = await client.remoteCall('rpc/echo', {fail: {reason: 'because', code: 42}});
  assert.equal(reply.successful, false);
  assert.deepEqual(reply.data, {reason: 'because', code: 42});
});

overEveryTransport('concurrent remote calls each get their own result', async ({connect}) => {
  const client = await connect();
  const numbers = Array.from({length: 20}, (_, n) => n);
  const replies = await Promise.all(numbers.map((n) => client.remoteCall('rpc/echo', n)));
  assert.deepEqual(replies.map(({data}) => data), numbers);
});
