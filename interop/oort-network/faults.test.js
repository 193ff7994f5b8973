// Wires between nodes are cut, slow and healed: who is lost is missed by all, who is back is there again, and has all.

import assert from 'node:assert/strict';
import {setTimeout as delay} from 'node:timers/promises';

import {SHORT, agree, exchange, heard, inNetworks, mesh, readCasts, subscribe, toldOf} from '../lib/cloud.js';

/** CometD's nodes miss a silent one after `timeout` and `maxInterval` alone. */
const OURS = readCasts(process.env.CASTS ?? 'rust,rust,rust');
const MIXED = readCasts(process.env.CASTS ?? 'rust,rust,java java,java,java');

/** Puts what each node has for this round, and waits until all have all of it. */
async function share(nodes, round) {
  for (const node of nodes) await node.ask('put', {key: 'round', value: round});
  await agree(nodes, 'map', Object.fromEntries(nodes.map(({url}) => [url, {round}])));
}

/** Waits until `node` has none of `others`, and the other way round. */
async function parted(node, others) {
  await Promise.all(others.flatMap((other) => [node.left(other), other.left(node)]));
}

/** Of one life of `other`, `node` is told alternately that it joined and left. */
function alternate(node, other) {
  const told = toldOf(node, other, 'joined', 'left').map(({event}) => event);
  assert.deepEqual(told, told.map((_, index) => (index % 2 ? 'left' : 'joined')));
}

async function begun({begin}) {
  const nodes = await begin();
  await mesh(nodes);
  await subscribe(nodes, '/chat');
  await share(nodes, 0);
  return nodes;
}

inNetworks(
  'a cut that nobody is told of is noticed within three seconds',
  async ({network, begin, note}) => {
    const nodes = await begun({begin});
    const [lost, ...others] = nodes;
    const start = Date.now();
    network.cut(lost.place);
    await parted(lost, others);
    const took = Date.now() - start;
    note(`noticed after ${took} ms`);
    // Without a watch of its own it takes 20 s. What is above three belongs to a busy machine.
    assert.ok(took < 6_000, `${took} ms`);
    network.heal(lost.place);
    await mesh(nodes);
    await share(nodes, 1);
  },
  {casts: OURS},
);

const CUTS = {
  'cut silently': ['cut', 'heal'],
  'pulled out': ['unplug', 'plug'],
};
for (const [how, [cut, heal]] of Object.entries(CUTS)) {
  inNetworks(
    `a wire that is ${how} is healed: all are joined, maps are equal, broadcasts come once`,
    async ({network, begin}) => {
      const nodes = await begun({begin});
      for (const [round, lost] of nodes.entries()) {
        const others = nodes.filter((node) => node !== lost);
        network[cut](lost.place);
        await parted(lost, others);
        for (const node of nodes) {
          await node.ask('put', {key: `meanwhile ${round}`, value: 1});
          await node.ask('remove', {key: `meanwhile ${round}`});
        }
        await agree([lost], 'map', {[lost.url]: {round}});
        await exchange(others, '/chat', 20);
        network[heal](lost.place);
        await mesh(nodes);
        await share(nodes, round + 1);
        await exchange(nodes, '/chat', 20);
      }
      for (const node of nodes) for (const other of nodes) alternate(node, other);
    },
    {casts: MIXED, options: SHORT},
  );
}

inNetworks(
  'a wire that is cut for half a second loses nobody and nothing',
  async ({network, begin}) => {
    const nodes = await begun({begin});
    const [lost, publisher] = nodes;
    for (let round = 0; round < 3; round++) {
      network.cut(lost.place);
      for (let n = 0; n < 10; n++) await publisher.ask('publish', {channel: '/chat', data: {round, n}});
      await delay(500);
      network.heal(lost.place);
      await exchange(nodes, '/chat', 20);
    }
    const wanted = [0, 1, 2].flatMap((round) => Array.from({length: 10}, (_, n) => ({round, n})));
    for (const node of nodes) {
      assert.deepEqual(heard(node, '/chat').filter((data) => data.round !== undefined), wanted);
      assert.deepEqual(node.told('left'), []);
    }
  },
  {casts: readCasts(process.env.CASTS ?? 'rust,rust,rust rust,rust,java java,java,java')},
);

inNetworks(
  'what one sends to another goes nowhere: both lose each other and nobody else, and find each other again',
  async ({network, begin}) => {
    const nodes = await begun({begin});
    const [from, to, third] = nodes;
    network.block(from.place, to.place);
    await parted(from, [to]);
    await exchange([from, third], '/chat', 20);
    await exchange([to, third], '/chat', 20);
    for (const node of nodes) await node.ask('put', {key: 'meanwhile', value: node.url});
    assert.deepEqual(third.told('left'), []);
    network.unblock(from.place, to.place);
    await mesh(nodes);
    const wanted = Object.fromEntries(nodes.map(({url}) => [url, {round: 0, meanwhile: url}]));
    await agree(nodes, 'map', wanted);
    await exchange(nodes, '/chat', 20);
    assert.deepEqual(third.told('left'), []);
    for (const node of nodes) for (const other of nodes) alternate(node, other);
  },
  {casts: MIXED, options: SHORT},
);

inNetworks(
  'a slow wire of uneven pace loses nobody',
  async ({network, begin}) => {
    await network.delay(network.places[0], 200, 100);
    const nodes = await begun({begin});
    const end = Date.now() + 15_000;
    for (let round = 1; Date.now() < end; round++) {
      await exchange(nodes, '/chat', 10);
      await share(nodes, round);
      await delay(1_000);
    }
    for (const node of nodes) {
      assert.deepEqual(node.told('left'), []);
      assert.equal(node.told('joined').length, nodes.length - 1);
    }
  },
  {casts: readCasts(process.env.CASTS ?? 'rust,rust,rust rust,rust,java')},
);

inNetworks(
  'a wire that comes and goes leaves all joined in the end',
  async ({network, begin}) => {
    const nodes = await begun({begin});
    for (let round = 0; round < 8; round++) {
      const {place} = nodes[round % nodes.length];
      network.cut(place);
      await delay(300 + 700 * (round % 5));
      network.heal(place);
      await delay(100 + 400 * (round % 3));
    }
    await mesh(nodes);
    await share(nodes, 1);
    await exchange(nodes, '/chat', 50);
    await mesh(nodes);
    for (const node of nodes) for (const other of nodes) alternate(node, other);
  },
  {casts: OURS},
);
