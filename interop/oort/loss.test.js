// A node that is lost is missed by all, with what it had; one that comes back is a new one, or the old one.

import assert from 'node:assert/strict';

import {SHORT, agree, exchange, inClouds, mesh, startAgain, subscribe, toldOf} from '../lib/cloud.js';

const options = SHORT;
const parts = (nodes) => Object.fromEntries(nodes.map(({url, life = 1}) => [url, {life}]));

/** Each kind of node in the cast, the last of it, with the nodes that are left without it. */
function* victims(nodes) {
  const kinds = new Set();
  for (const victim of [...nodes].reverse()) {
    if (kinds.has(victim.kind)) continue;
    kinds.add(victim.kind);
    yield victim;
  }
}

async function fill(nodes) {
  for (const node of nodes) {
    node.life ??= 1;
    await node.ask('put', {key: 'life', value: node.life});
    await node.ask('add', {elements: [node.life]});
    await node.ask('count', {by: node.life});
  }
}

async function equal(nodes) {
  await agree(nodes, 'map', parts(nodes));
  await agree(nodes, 'list', Object.fromEntries(nodes.map(({url, life}) => [url, [life]])));
  await agree(nodes, 'sum', nodes.reduce((sum, {life}) => sum + life, 0));
}

inClouds(
  'a node that is killed is missed once, with what it had',
  async ({nodes}) => {
    await fill(nodes);
    await equal(nodes);
    const [victim] = victims(nodes);
    const left = nodes.filter((node) => node !== victim);
    await victim.kill();
    for (const node of left) await node.left(victim);
    await equal(left);
    await subscribe(left, '/chat');
    await exchange(left, '/chat', 20);
    for (const node of left) {
      assert.equal(toldOf(node, victim, 'left').length, 1);
      assert.equal(node.told('left').length, 1);
    }
  },
  {options},
);

inClouds(
  'a node that stops is missed at once',
  async ({nodes}) => {
    await fill(nodes);
    await equal(nodes);
    const [victim] = victims(nodes);
    const left = nodes.filter((node) => node !== victim);
    await victim.ask('stop');
    for (const node of left) await node.left(victim);
    await equal(left);
    for (const node of left) assert.equal(node.told('left').length, 1);
  },
  // Were it not told, it would be missed by nobody before the test is over.
  {options: {timeout: 300_000, 'max-interval': 300_000}},
);

for (const [when, wait] of [['before', 0], ['after', 1]]) {
  inClouds(
    `a node that is started again ${when} it is missed is a new one`,
    async ({nodes, start}) => {
      await subscribe(nodes, '/chat');
      await fill(nodes);
      await equal(nodes);
      const [victim] = victims(nodes);
      const others = nodes.filter((node) => node !== victim);
      await victim.kill();
      if (wait) for (const node of others) await node.left(victim);
      const again = await startAgain(start, victim, others);
      again.life = 2;
      assert.equal(again.url, victim.url);
      assert.notEqual(again.comet, victim.comet);
      const now = nodes.map((node) => (node === victim ? again : node));
      await mesh(now);
      for (const node of others) {
        const told = node.told('joined', 'left').filter(({url}) => url === victim.url);
        assert.deepEqual(
          told.map(({event, comet}) => [event, comet]),
          [['joined', victim.comet], ['left', victim.comet], ['joined', again.comet]],
        );
      }
      await fill([again]);
      await equal(now);
      await again.ask('subscribe', {channel: '/chat'});
      await exchange(now, '/chat', 20);
    },
    {options},
  );
}

inClouds(
  'a node that does nothing for long is missed, and comes back',
  async ({nodes}) => {
    await subscribe(nodes, '/chat');
    await fill(nodes);
    await equal(nodes);
    for (const victim of victims(nodes)) {
      const others = nodes.filter((node) => node !== victim);
      victim.freeze();
      for (const node of others) await node.left(victim);
      for (const node of others) await node.ask('put', {key: 'meanwhile', value: victim.kind});
      await others[0].ask('remove', {key: 'meanwhile'});
      victim.thaw();
      await mesh(nodes);
      const wanted = parts(nodes);
      for (const node of others.slice(1)) wanted[node.url].meanwhile = victim.kind;
      await agree(nodes, 'map', wanted);
      for (const node of others.slice(1)) await node.ask('remove', {key: 'meanwhile'});
      await equal(nodes);
      await exchange(nodes, '/chat', 20);
    }
  },
  {options},
);
