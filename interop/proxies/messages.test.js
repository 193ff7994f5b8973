// What goes by a proxy arrives whole, once and in order, and polls are held as without it.

import assert from 'node:assert/strict';

import {behindEveryProxy} from '../lib/proxy.js';

const COUNT = 500;
const numbers = Array.from({length: COUNT}, (_, n) => n);

behindEveryProxy(`${COUNT} messages arrive once and in order`, async ({connect}) => {
  const subscriber = await connect();
  const publisher = await connect();
  const inbox = await subscriber.subscribe('/many');
  const replies = numbers.map((n) => publisher.publish('/many', n));
  const received = await inbox.take(COUNT, 30_000);
  assert.deepEqual(received.map(({data}) => data), numbers);
  for (const reply of await Promise.all(replies)) assert.equal(reply.successful, true);
  assert.equal(inbox.all.length, COUNT);
});

behindEveryProxy('a message of 500 KB arrives whole', async ({connect}) => {
  const subscriber = await connect();
  const publisher = await connect();
  const inbox = await subscriber.subscribe('/large');
  const text = Array.from({length: 50_000}, (_, n) => `${n}`.padStart(10, '.')).join('');
  assert.equal((await publisher.publish('/large', {text})).successful, true);
  const {data} = await inbox.next();
  assert.ok(data.text === text, `${data.text.length} characters differ from what was sent`);
});

behindEveryProxy(
  'held connects are answered when their time is up, and the session goes on',
  async ({connect}) => {
    const client = await connect();
    const replies = await client.connects.take(4);
    for (const reply of replies) assert.equal(reply.successful, true);
    assert.equal(client.handshakes.all.length, 1);
  },
  {options: {timeout: 300}},
);
