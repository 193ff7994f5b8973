// A session that was silent too long is forgotten; its client handshakes again when it is back.

import assert from 'node:assert/strict';

import {overEveryTransport} from '../lib/cometd.js';

const ROOM = '/chat/expiry';

overEveryTransport(
  'after an outage longer than maxInterval the client handshakes again',
  async ({connect, link}) => {
    const wire = await link();
    const witness = await connect();
    const members = await witness.subscribe('/members/expiry');
    const client = await connect({origin: wire.origin});
    const old = client.cometd.getClientId();
    await client.publish('/service/members', {user: 'sleeper', room: ROOM});
    await members.find(({data}) => data.includes('sleeper'), 'the sleeper as a member');

    wire.interrupt();
    await members.find(({data}) => !data.includes('sleeper'), 'the sleeper gone', 20_000);
    wire.restore();

    const again = await client.rehandshake(old);
    assert.notEqual(again.clientId, old);
    const forgotten = await client.connects.find(({error}) => error, 'the refused connect');
    assert.equal(forgotten.error, '402::session_unknown');
    const echo = client.listen('/service/echo');
    await client.publish('/service/echo', 'awake');
    assert.equal((await echo.next()).data, 'awake');
  },
  {options: {timeout: 1_000, maxInterval: 500}},
);

overEveryTransport(
  'an outage shorter than maxInterval keeps the session and its messages',
  async ({connect, link}) => {
    const wire = await link();
    const client = await connect({origin: wire.origin});
    const inbox = await client.subscribe('/patient');
    const publisher = await connect();
    const old = client.cometd.getClientId();
    // The server must know that the held connect is gone, or it would answer into the void.
    await client.connects.take(2);

    wire.interrupt();
    await client.connects.find(({failure}) => failure, 'the failed connect');
    wire.restore();

    await client.connects.until(
      () => client.connects.all.at(-1).successful,
      'a successful connect after the outage',
    );
    await publisher.publish('/patient', 'still the same');
    assert.equal((await inbox.next()).data, 'still the same');
    assert.equal(client.cometd.getClientId(), old);
    assert.equal(client.handshakes.all.length, 1);
  },
  {options: {timeout: 1_000, maxInterval: 10_000}},
);
