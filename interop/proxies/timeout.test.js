// A proxy that waits less for the server than a poll is held cuts it again and again.

import assert from 'node:assert/strict';

import {extension} from '../lib/cometd.js';
import {behindEveryProxy} from '../lib/proxy.js';

const ROUNDS = 4;
const ROUND = 10;

behindEveryProxy(
  'a proxy that gives polls up loses and doubles nothing that is acknowledged',
  async ({demo, connect, newClient}) => {
    const subscriber = newClient();
    subscriber.cometd.registerExtension('ack', await extension('AckExtension'));
    await subscriber.connect();
    const inbox = await subscriber.subscribe('/sure');
    const publisher = await connect({origin: demo.origin});
    const failures = () => subscriber.connects.all.filter(({failure}) => failure).length;

    let sent = 0;
    for (let round = 1; round <= ROUNDS; round++) {
      for (let n = 0; n < ROUND; n++) await publisher.publish('/sure', sent++);
      await subscriber.connects.until(() => failures() >= round, `failure ${round}`);
    }
    await publisher.publish('/sure', sent++);

    await inbox.find(({data}) => data === sent - 1, 'the last message');
    assert.deepEqual(inbox.all.map(({data}) => data), Array.from({length: sent}, (_, n) => n));
    assert.equal(subscriber.handshakes.all.length, 1);
  },
  {options: {timeout: 60_000, maxInterval: 30_000}, proxy: {idle: 500}},
);

behindEveryProxy(
  'pings keep a silent WebSocket longer than the proxy lets it be silent',
  async ({connect}) => {
    const client = await connect();
    const [, held] = await client.connects.take(2, 30_000);
    assert.equal(held.successful, true, JSON.stringify(held));
    assert.equal(client.handshakes.all.length, 1);
  },
  {
    options: {timeout: 6_000, 'ws.pingInterval': 300},
    proxy: {idle: 4_000},
    transports: ['websocket'],
  },
);
