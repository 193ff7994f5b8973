// A node that is lost is missed by all, with what it had; one that comes back is a new one, or the old one.

import assert from 'node:assert/strict';

import {begin, equal, parts, revive, telling} from '../lib/cloud-lives.js';
import {SHORT, agree, exchange, inClouds, mesh, oneOfEachKind} from '../lib/cloud.js';

inClouds(
  'nodes are missed when their time is over',
  async ({nodes, start, step}) => {
    await begin(nodes);

    for (const victim of oneOfEachKind(nodes)) {
      await step(`one of ${victim.kind} that does nothing for long is missed, and comes back`, async () => {
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
      });
    }

    const victim = nodes.at(-1);
    const left = nodes.filter((node) => node !== victim);
    const told = telling(left, victim.url);
    await step('one that is killed is missed once, with what it had', async () => {
      await victim.kill();
      for (const node of left) await node.left(victim);
      await equal(left);
      await exchange(left, '/chat', 20);
      for (const node of left) assert.deepEqual(told(node), [['left', victim.comet]]);
    });

    await step('one that is started again after that is a new one', async () => {
      const again = (await revive(nodes, victim, start)).at(-1);
      for (const node of left) assert.deepEqual(told(node), [['left', victim.comet], ['joined', again.comet]]);
    });
  },
  {options: SHORT},
);
