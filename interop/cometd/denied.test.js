// Refusals reach the client as the protocol's error strings, and the session lives on.

import assert from 'node:assert/strict';

import {overEveryTransport} from '../lib/cometd.js';

overEveryTransport('subscribing to a channel that may not be created is refused', async ({connect}) => {
  const client = await connect();
  await assert.rejects(client.subscribe('/demo/denied'), {
    message: '403:denied_by_security_policy:create_denied',
  });
  const inbox = await client.subscribe('/allowed');
  await client.publish('/allowed', 'still here');
  assert.equal((await inbox.next()).data, 'still here');
});

overEveryTransport('publishing to a channel that may not be created is refused', async ({connect}) => {
  const client = await connect();
  const reply = await client.publish('/demo/denied', 'no');
  assert.equal(reply.successful, false);
  assert.equal(reply.error, '403:denied_by_security_policy:channel_create_denied');
});

overEveryTransport('a read-only channel can be subscribed but not published to', async ({connect}) => {
  const client = await connect();
  const inbox = await client.subscribe('/demo/readonly');
  const end = await client.subscribe('/end');

  const reply = await client.publish('/demo/readonly', 'no');
  assert.equal(reply.successful, false);
  assert.match(reply.error, /^403:[^:]+:publish_denied$/);

  await client.publish('/end', 'end');
  await end.next();
  assert.equal(inbox.all.length, 0);
});

overEveryTransport('meta channels cannot be subscribed to', async ({connect}) => {
  const client = await connect();
  await assert.rejects(client.subscribe('/meta/disconnect'), /^Error: 403:.*:subscribe_denied$/);
  await assert.rejects(client.subscribe('/meta/other'), /^Error: 403:.*:create_denied$/);
});
