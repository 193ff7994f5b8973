// Many messages and large messages arrive whole and in order.

import assert from 'node:assert/strict';

import {overEveryTransport} from '../lib/cometd.js';

const COUNT = 1_000;
const numbers = Array.from({length: COUNT}, (_, n) => n);

overEveryTransport('1000 messages arrive in order', async ({connect}) => {
  const subscriber = await connect();
  const publisher = await connect();
  const inbox = await subscriber.subscribe('/many');
  const replies = numbers.map((n) => publisher.publish('/many', n));
  const received = await inbox.take(COUNT, 30_000);
  assert.deepEqual(received.map(({data}) => data), numbers);
  for (const reply of await Promise.all(replies)) assert.equal(reply.successful, true);
  assert.equal(inbox.all.length, COUNT);
});

overEveryTransport('1000 messages of one batch arrive in order', async ({connect}) => {
  const subscriber = await connect();
  const publisher = await connect();
  const inbox = await subscriber.subscribe('/many');
  publisher.cometd.batch(() => numbers.forEach((n) => publisher.cometd.publish('/many', n)));
  const received = await inbox.take(COUNT, 30_000);
  assert.deepEqual(received.map(({data}) => data), numbers);
});

overEveryTransport('a message of 500 KB arrives whole', async ({connect}) => {
  const subscriber = await connect();
  const publisher = await connect();
  const inbox = await subscriber.subscribe('/large');
  const text = Array.from({length: 50_000}, (_, n) => `${n}`.padStart(10, '.')).join('');
  assert.equal((await publisher.publish('/large', {text})).successful, true);
  const {data} = await inbox.next();
  assert.ok(data.text === text, `${data.text.length} characters differ from what was sent`);
});

overEveryTransport(
  'messages arrive in order when a frame carries several',
  async ({connect}) => {
    const subscriber = await connect();
    const publisher = await connect();
    const inbox = await subscriber.subscribe('/many');
    publisher.cometd.batch(() => numbers.forEach((n) => publisher.cometd.publish('/many', n)));
    const received = await inbox.take(COUNT, 30_000);
    assert.deepEqual(received.map(({data}) => data), numbers);
  },
  {options: {'ws.messagesPerFrame': 10}, transports: ['websocket']},
);
