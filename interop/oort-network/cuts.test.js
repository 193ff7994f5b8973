// Wires between nodes are cut and healed: who is lost is missed by all, who is back is there again, and has all.

import assert from 'node:assert/strict';

import {SHORT, agree, exchange, inNetworks, mesh, oneOfEachKind, readCasts} from '../lib/cloud.js';
import {alternate, begun, parted, share} from '../lib/wires.js';

const CASTS = readCasts(process.env.CASTS ?? 'rust,rust,java java,java,java');

const CUTS = {
  'cut silently': ['cut', 'heal'],
  'pulled out': ['unplug', 'plug'],
};

inNetworks(
  'wires are cut and healed: all are joined, maps are equal, broadcasts come once',
  async ({network, begin, step}) => {
    const nodes = await begun({begin});
    let round = 0;
    for (const [how, [cut, heal]] of Object.entries(CUTS)) {
      for (const lost of oneOfEachKind(nodes)) {
        await step(`the wire of a node of ${lost.kind} is ${how}`, async () => {
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
          await share(nodes, ++round);
          await exchange(nodes, '/chat', 20);
        });
      }
    }

    await step('what one sends to another goes nowhere: both lose each other and nobody else', async () => {
      const [from, to, third] = nodes;
      const before = third.told('left').length;
      network.block(from.place, to.place);
      await parted(from, [to]);
      await exchange([from, third], '/chat', 20);
      await exchange([to, third], '/chat', 20);
      for (const node of nodes) await node.ask('put', {key: 'meanwhile', value: node.url});
      assert.equal(third.told('left').length, before);
      network.unblock(from.place, to.place);
      await mesh(nodes);
      const wanted = Object.fromEntries(nodes.map(({url}) => [url, {round, meanwhile: url}]));
      await agree(nodes, 'map', wanted);
      await exchange(nodes, '/chat', 20);
      assert.equal(third.told('left').length, before);
    });
    for (const node of nodes) for (const other of nodes) alternate(node, other);
  },
  {casts: CASTS, options: SHORT},
);
