// Wires between nodes are cut for a moment, slow, or come and go.

import assert from 'node:assert/strict';
import {setTimeout as delay} from 'node:timers/promises';

import {PATIENT, exchange, heard, inNetworks, mesh, readCasts} from '../lib/cloud.js';
import {alternate, begun, parted, share} from '../lib/wires.js';

/** CometD's nodes miss a silent one after `timeout` and `maxInterval` alone. */
const OURS = readCasts(process.env.CASTS ?? 'rust,rust,rust');

/** So soon a node is missed that is gone without a word, in milliseconds, by default. */
const NOTICED = 3_000;

/** What a machine takes on top of it that has more to do than it can, such as one that runs other tests. */
const BUSY = 2_000;

inNetworks(
  'a cut that nobody is told of is noticed within three seconds',
  async ({network, begin, note}) => {
    const nodes = await begun({begin});
    const [lost, ...others] = nodes;
    const start = Date.now();
    network.cut(lost.place);
    await parted(lost, others);
    const told = nodes.flatMap((node) => node.told('left'));
    const took = Math.max(...told.map(({at}) => at)) - start;
    note(`noticed after ${took} ms`);
    assert.ok(took <= NOTICED + BUSY, `${took} ms`);
    network.heal(lost.place);
    await mesh(nodes);
    await share(nodes, 1);
  },
  {casts: OURS},
);

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
  // A machine that pauses is not to lose anybody either.
  {casts: readCasts(process.env.CASTS ?? 'rust,rust,rust rust,rust,java java,java,java'), options: PATIENT},
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
  {casts: readCasts(process.env.CASTS ?? 'rust,rust,rust rust,rust,java'), options: PATIENT},
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
