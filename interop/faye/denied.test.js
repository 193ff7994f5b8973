// Refusals reach the faye client as errors with code and message.

import assert from 'node:assert/strict';

import {overEveryTransport} from '../lib/faye.js';

overEveryTransport('subscribing to a channel that may not be created fails', async ({newClient}) => {
  const client = newClient();
  await assert.rejects(client.subscribe('/demo/denied'), {code: 403, message: 'create_denied'});
});

overEveryTransport('publishing to a channel that may not be created fails', async ({newClient}) => {
  const client = newClient();
  const denied = {code: 403, message: 'channel_create_denied'};
  await assert.rejects(client.publish('/demo/denied', 'no'), denied);
});

overEveryTransport('publishing to a read-only channel fails, and the client goes on', async (scene) => {
  const client = scene.newClient();
  const denied = {code: 403, message: 'publish_denied'};
  await assert.rejects(client.publish('/demo/readonly', 'no'), denied);
  const inbox = await client.subscribe('/allowed');
  await client.publish('/allowed', 'still here');
  assert.equal((await inbox.next()).data, 'still here');
});
