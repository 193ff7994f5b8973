// A client handshakes, connects, stays connected, and disconnects.

import assert from 'node:assert/strict';

import {overEveryTransport} from '../lib/cometd.js';

overEveryTransport('a client handshakes, connects and disconnects', async ({newClient}) => {
  const client = newClient();
  const handshake = await client.handshake();
  assert.equal(handshake.successful, true);
  assert.equal(handshake.version, '1.0');
  assert.ok(handshake.clientId.length >= 20, handshake.clientId);
  assert.equal(handshake.advice.reconnect, 'retry');
  assert.deepEqual(handshake.supportedConnectionTypes.toSorted(), [
    'callback-polling',
    'long-polling',
    'websocket',
  ]);

  const first = await client.connects.next();
  assert.equal(first.successful, true);
  assert.equal(client.cometd.isDisconnected(), false);

  const farewell = await client.disconnect();
  assert.equal(farewell.successful, true);
  assert.equal(client.cometd.isDisconnected(), true);
});

overEveryTransport(
  'held connects are answered when their time is up, and the session goes on',
  async ({connect}) => {
    const client = await connect();
    const [, held, next] = await client.connects.take(3);
    assert.equal(held.successful, true);
    assert.equal(next.successful, true);
    assert.equal(client.handshakes.all.length, 1);
  },
  {options: {timeout: 300}},
);

overEveryTransport(
  'the handshake tells the client after how much silence to handshake again',
  async ({newClient}) => {
    const {advice} = await newClient().handshake();
    assert.equal(advice.maxInterval, 7_000);
    assert.equal(advice.timeout, 12_000);
  },
  {options: {timeout: 12_000, maxInterval: 7_000, handshakeReconnect: true}},
);

overEveryTransport('two clients have two sessions', async ({connect}) => {
  const one = await connect();
  const two = await connect();
  assert.notEqual(one.cometd.getClientId(), two.cometd.getClientId());
});
