// When the server comes back without its sessions, clients handshake and subscribe again by themselves.

import assert from 'node:assert/strict';

import {overEveryTransport} from '../lib/cometd.js';

overEveryTransport('after a restart the client is back with its subscription', async (scene) => {
  const {newClient, connect, restart} = scene;
  const client = newClient();
  const received = client.listen('/after');
  const subscribed = client.listen('/meta/subscribe');
  client.cometd.addListener('/meta/handshake', ({successful}) => {
    if (successful) client.cometd.subscribe('/after', () => {});
  });
  await client.connect();
  await subscribed.next();
  const old = client.cometd.getClientId();

  await restart();

  const again = await client.rehandshake(old);
  assert.notEqual(again.clientId, old);
  assert.equal((await subscribed.next()).successful, true);
  const publisher = await connect();
  await publisher.publish('/after', 'welcome back');
  assert.equal((await received.next()).data, 'welcome back');
});

overEveryTransport('a publish that meets no server is reported to the caller', async ({demo, connect}) => {
  const client = await connect();
  // One that is asked to stop would have the client keep its messages for the next.
  await demo.stop('SIGKILL');
  const reply = await client.publish('/lost', 1);
  assert.equal(reply.successful, false);
  assert.ok(reply.failure, JSON.stringify(reply));
});
