// Who does not know the secret is no node.

import assert from 'node:assert/strict';

import {SECRET, exchange, inClouds, subscribe} from '../lib/cloud.js';

assert.ok(SECRET, 'SECRET is not set');

async function handshake(node, oort) {
  const response = await fetch(node.url, {
    method: 'POST',
    headers: {'Content-Type': 'application/json'},
    body: JSON.stringify([
      {
        channel: '/meta/handshake',
        version: '1.0',
        supportedConnectionTypes: ['long-polling'],
        ext: oort ? {'org.cometd.oort': oort} : undefined,
      },
    ]),
  });
  const [reply] = await response.json();
  return reply;
}

inClouds('a node with another secret does not join', async ({nodes, start, cast}) => {
  const wrong = [];
  for (const kind of new Set(cast)) {
    for (const other of nodes) wrong.push(await start(kind, {cloud: other.url, secret: 'another'}));
  }
  // CometD's do not count whom they refuse.
  for (const node of nodes.filter(({kind}) => kind === 'rust')) {
    await node.until('refused', (refused) => refused >= wrong.length / nodes.length, 'those without the secret came');
  }
  // Another one that knows it joins meanwhile: those had the time.
  nodes.push(await start(cast[0], {cloud: nodes[0].url}));
  for (const node of nodes) for (const other of nodes) if (node !== other) await node.joined(other);
  await subscribe(nodes, '/chat');
  await exchange(nodes, '/chat', 20);
  for (const node of nodes) assert.equal((await node.ask('comets')).length, nodes.length - 1);
  for (const node of wrong) {
    const known = (await node.ask('comets')).filter(({comet}) => nodes.some((other) => other.comet === comet));
    assert.deepEqual(known, []);
  }
});

inClouds('who claims to be a node is refused, and anybody else is not', async ({nodes}) => {
  for (const node of nodes) {
    const claim = {oortURL: 'http://127.0.0.1:1/cometd', oortId: 'forged', cometURL: node.url};
    for (const oortSecret of [undefined, '', 'bm9uZQ==']) {
      const reply = await handshake(node, {...claim, oortSecret});
      assert.equal(reply.successful, false, JSON.stringify(reply));
      assert.match(reply.error, /^403:/);
      assert.equal(reply.advice.reconnect, 'none');
    }
    assert.equal((await handshake(node)).successful, true);
  }
});
