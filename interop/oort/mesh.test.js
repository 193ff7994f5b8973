// Nodes that know one of a cloud find all of it, and what is broadcast on one reaches the subscribers of all.

import assert from 'node:assert/strict';

import {PATIENT, exchange, fence, heard, inClouds, mesh, subscribe, toldOf} from '../lib/cloud.js';

inClouds(
  'nodes that have no WebSocket are joined',
  async ({nodes}) => {
    for (const node of nodes) {
      const others = nodes.filter((other) => other !== node);
      const wanted = Object.fromEntries(others.map(({url}) => [url, 'long-polling']));
      assert.deepEqual(await node.ask('transports'), wanted);
    }
    await subscribe(nodes, '/chat');
    await exchange(nodes, '/chat', 100);
    for (const node of nodes) assert.deepEqual(node.told('left'), []);
  },
  {options: {...PATIENT, transports: 'long-polling'}},
);

inClouds('nodes are joined', async ({nodes, start, cast, step}) => {
  await step('each joins each once', async () => {
    for (const node of nodes) {
      const others = nodes.filter((other) => other !== node);
      for (const other of others) assert.equal(toldOf(node, other, 'joined').length, 1);
      assert.deepEqual(node.told('left'), []);
      const known = await node.ask('known');
      assert.deepEqual(known.sort(), others.map(({url}) => url).sort());
    }
  });

  await step('a broadcast reaches the subscribers of each node once and in order', async () => {
    await subscribe(nodes, '/chat');
    await exchange(nodes, '/chat', 200);
  });

  await step('a wild observation brings what it matches once', async () => {
    for (const node of nodes) await node.ask('observe', {channel: '/rooms/**'});
    await subscribe(nodes, '/rooms/**');
    await exchange(nodes, '/rooms/a/b', 50);
  });

  await step('what is not observed any more does not come', async () => {
    for (const node of nodes) await node.ask('observe', {channel: '/here'});
    await subscribe(nodes, '/here');
    const [first, ...others] = nodes;
    await first.ask('deobserve', {channel: '/here'});
    for (const other of others) {
      await other.until('is-observed', (is) => !is, 'not observed', {channel: '/here', url: first.url});
    }
    for (const node of nodes) await node.ask('publish', {channel: '/here', data: {from: node.url}});
    await fence(nodes, '/chat');
    assert.deepEqual(heard(first, '/here'), [{from: first.url}]);
    for (const other of others) assert.equal(heard(other, '/here').length, nodes.length);
  });

  await step('one that comes later and knows the last alone joins all', async () => {
    for (const kind of new Set(cast)) {
      const late = await start(kind, {cloud: nodes.at(-1).url});
      nodes.push(late);
      await mesh(nodes);
      await late.ask('subscribe', {channel: '/chat'});
    }
    await exchange(nodes, '/chat', 10);
  });
});
