// What the faye client's extensions add to a message passes through the server.

import assert from 'node:assert/strict';

import {overEveryTransport} from '../lib/faye.js';

overEveryTransport('the ext field of a published message reaches the subscribers', async (scene) => {
  const subscriber = scene.newClient();
  await subscriber.subscribe('/tagged');
  const publisher = scene.newClient();
  publisher.faye.addExtension({
    outgoing(message, pass) {
      if (message.channel === '/tagged') message.ext = {tag: {colour: 'blue'}};
      pass(message);
    },
  });
  await publisher.publish('/tagged', 'data');
  const message = await subscriber.incoming.find(({channel}) => channel === '/tagged', 'it');
  assert.deepEqual(message.ext, {tag: {colour: 'blue'}});
  assert.equal(message.data, 'data');
});

overEveryTransport('an extension sees the replies of the meta channels', async ({newClient}) => {
  const client = newClient();
  await client.subscribe('/somewhere');
  const handshake = await client.incoming.find(
    ({channel}) => channel === '/meta/handshake',
    'the handshake reply',
  );
  assert.equal(handshake.successful, true);
  assert.ok(handshake.supportedConnectionTypes.includes('long-polling'));
  const subscribe = await client.incoming.find(
    ({channel}) => channel === '/meta/subscribe',
    'the subscribe reply',
  );
  assert.equal(subscribe.subscription, '/somewhere');
});
