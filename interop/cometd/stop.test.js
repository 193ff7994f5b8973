// A server that is asked to stop sends its clients away in good order, and exits by itself.

import assert from 'node:assert/strict';

import {overEveryTransport} from '../lib/cometd.js';

const CLIENTS = 50;
const INTERVAL = 2_000;
const options = {drainSpread: 500, drainInterval: INTERVAL, drainTimeout: 20_000};

const health = async (demo) => (await fetch(`${demo.origin}/health`)).status;

async function holding(connect) {
  const clients = [];
  for (let n = 0; n < CLIENTS; n++) {
    const client = await connect();
    // The first connect is answered at once; the second one is held.
    await client.asked.take(2);
    await client.publish('/service/echo', 'sent after the connect');
    clients.push(client);
  }
  return clients;
}

/** The reply to the connect that was held. */
function lastReply(client) {
  const {id} = client.asked.all[1];
  return client.connects.find((message) => message.id === id, 'the last reply');
}

for (const signal of ['SIGTERM', 'SIGINT']) {
  overEveryTransport(`on ${signal} the server sends its clients away`, async ({demo, connect}) => {
    const clients = await holding(connect);
    assert.equal(await health(demo), 200);

    await demo.stop(signal);

    assert.equal(demo.output.all.at(-1), 'exited: 0');
    const absences = new Set();
    for (const client of clients) {
      const reply = await lastReply(client);
      assert.equal(reply.error, '503::connect_unavailable', JSON.stringify(reply.failure?.reason ?? reply));
      assert.equal(reply.advice.reconnect, 'handshake');
      assert.ok(reply.advice.interval > 0 && reply.advice.interval <= INTERVAL, JSON.stringify(reply));
      absences.add(reply.advice.interval);
    }
    assert.ok(absences.size > CLIENTS / 2, [...absences].join());
  }, {options});
}

overEveryTransport('clients find the next server, and no connect of theirs breaks', async (scene) => {
  const {connect, restart} = scene;
  const clients = await holding(connect);
  const olds = clients.map(({cometd}) => cometd.getClientId());
  const replies = clients.map((client) => client.connects.all.length);

  await restart();

  for (const [n, client] of clients.entries()) {
    await client.rehandshake(olds[n]);
    const last = client.connects.all[replies[n]];
    assert.equal(last.error, '503::connect_unavailable', JSON.stringify(last));
  }
  // What is published while a client is sent away waits in it for the next session.
  assert.equal((await clients[0].publish('/service/echo', 'again')).successful, true);
}, {options});

overEveryTransport('a second signal ends it at once', async ({demo, connect}) => {
  const client = await connect();
  await client.subscribe('/any');
  await client.asked.take(2);
  client.abandon();
  // Something waits for the client, which does not come.
  await (await connect()).publish('/any', 'nobody takes this');
  demo.signal('SIGTERM');
  while ((await health(demo)) !== 503);
  await demo.stop();
  assert.equal(demo.output.all.at(-1), 'exited: 1');
}, {options: {...options, drainTimeout: 600_000}, transports: ['long-polling']});
