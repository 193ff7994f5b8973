// Binary data passes between clients that both have the binary extension.

import assert from 'node:assert/strict';

import {extension, overEveryTransport} from '../lib/cometd.js';

overEveryTransport('binary data arrives byte for byte', async ({connect}) => {
  const subscriber = await connect();
  const publisher = await connect();
  for (const {cometd} of [subscriber, publisher]) {
    cometd.registerExtension('binary', await extension('BinaryExtension'));
  }
  const inbox = await subscriber.subscribe('/binary');

  const bytes = Uint8Array.from({length: 256}, (_, n) => n);
  const meta = {name: 'all bytes'};
  const reply = await publisher.publishBinary('/binary', bytes, true, meta);
  assert.equal(reply.successful, true);

  const {data} = await inbox.next();
  assert.deepEqual(new Uint8Array(data.data), bytes);
  assert.equal(data.last, true);
  assert.deepEqual(data.meta, meta);
});
