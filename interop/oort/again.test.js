// A node that stops, or is started again, is missed before its time is over.

import assert from 'node:assert/strict';

import {begin, equal, revive, telling} from '../lib/cloud-lives.js';
import {SHORT, inClouds} from '../lib/cloud.js';

/** So long a node is not missed that could have been started again meanwhile on any machine. */
const LATE = 60_000;

inClouds(
  'nodes are missed before their time is over',
  async ({nodes, start, step}) => {
    await begin(nodes);
    const victim = nodes.at(-1);
    const others = nodes.filter((node) => node !== victim);
    let again;

    await step('when they are started again, as new ones', async () => {
      const told = telling(others, victim.url);
      const killed = Date.now();
      await victim.kill();
      again = (await revive(nodes, victim, start)).at(-1);
      // It was the new one that told of the loss, and not the time.
      assert.ok(Date.now() - killed < LATE, 'it was started too late');
      for (const node of others) assert.deepEqual(told(node), [['left', victim.comet], ['joined', again.comet]]);
    });

    await step('when they stop', async () => {
      const told = telling(others, victim.url);
      await again.ask('stop');
      // Were it not told, this would not come as long as it is waited for.
      for (const node of others) await node.left(again);
      await equal(others);
      for (const node of others) assert.deepEqual(told(node), [['left', again.comet]]);
    });
  },
  {options: {...SHORT, 'max-interval': LATE}},
);
