// With the acknowledgement extension a cut connection loses and doubles nothing.

import assert from 'node:assert/strict';

import {extension, overEveryTransport} from '../lib/cometd.js';

const ROUND = 20;

async function cutAndCount({newClient, connect, link}, isAgreed) {
  const wire = await link();
  const publisher = await connect();
  const subscriber = newClient({origin: wire.origin});
  subscriber.cometd.registerExtension('ack', await extension('AckExtension'));
  await subscriber.connect();
  const {ext} = subscriber.handshakes.all[0];
  assert.ok(isAgreed(ext?.ack), JSON.stringify(ext));
  const inbox = await subscriber.subscribe('/sure');

  let sent = 0;
  const publish = async () => {
    for (let n = 0; n < ROUND; n++) await publisher.publish('/sure', sent++);
  };
  await publish();
  for (const cut of ['cut', 'loseNext', 'cut', 'loseNext', 'loseNext']) {
    const done = wire[cut]();
    await publish();
    await done;
  }
  await publish();

  await inbox.find(({data}) => data === sent - 1, 'the last message');
  assert.deepEqual(inbox.all.map(({data}) => data), Array.from({length: sent}, (_, n) => n));
  assert.equal(subscriber.handshakes.all.length, 1);
}

overEveryTransport('nothing is lost or doubled over cut connections', (scene) =>
  cutAndCount(scene, (ack) => ack === true),
);

overEveryTransport(
  'nor when messages may come with the handshake',
  (scene) => cutAndCount(scene, (ack) => ack.enabled === true && ack.batch >= 0),
  {options: {allowMessageDeliveryDuringHandshake: true}},
);

overEveryTransport('the extension is not forced on a client that did not ask', async ({newClient}) => {
  const reply = await newClient().handshake();
  assert.ok(!reply.ext?.ack, JSON.stringify(reply.ext));
});
