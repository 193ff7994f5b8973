// A server that is asked to stop answers the connects it holds, and exits by itself.

import assert from 'node:assert/strict';

import {overEveryTransport} from '../lib/cometd.js';

const CLIENTS = 50;

for (const signal of ['SIGTERM', 'SIGINT']) {
  overEveryTransport(`on ${signal} the server lets go of its clients`, async ({demo, connect}) => {
    const clients = [];
    for (let n = 0; n < CLIENTS; n++) {
      const client = await connect();
      // The first connect is answered at once; the second one is held.
      await client.asked.take(2);
      await client.publish('/service/echo', 'sent after the connect');
      clients.push(client);
    }

    await demo.stop(signal);

    assert.equal(demo.output.all.at(-1), 'exited: 0');
    for (const client of clients) {
      const {id} = client.asked.all[1];
      const reply = await client.connects.find((message) => message.id === id, 'the reply');
      assert.equal(reply.successful, true, JSON.stringify(reply.failure?.reason ?? reply));
    }
  });
}
