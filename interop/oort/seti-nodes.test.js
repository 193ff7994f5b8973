// Users come and go with their nodes, however many they are.

import assert from 'node:assert/strict';

import {allTold, located, toldOfUser} from '../lib/cloud-users.js';
import {PATIENT, SHORT, agree, inClouds, mesh, readCasts, startAgain} from '../lib/cloud.js';
import {logIn} from '../lib/user.js';

inClouds(
  'users go with their nodes',
  async ({nodes, start, cast, step}) => {
    let now = nodes;
    const all = () => ['everywhere', ...now.map(({user}) => user)].sort();
    const settle = async (node, life) => {
      node.user = `life ${life} of ${node.kind} ${node.port}`;
      node.clients = [await logIn(node, 'everywhere'), await logIn(node, node.user)];
    };
    const agreed = async () => {
      await agree(now, 'present', all());
      await located(now, 'everywhere', () => ({sessions: 1, nodes: now.length - 1}));
      await allTold(now);
    };
    /** Starts another in the place of `victim`, which has been killed, and has it get to know everybody. */
    const revive = async (victim) => {
      const others = now.filter((node) => node !== victim);
      const again = await startAgain(start, victim, others);
      now = now.map((node) => (node === victim ? again : node));
      await mesh(now);
      return again;
    };

    for (const node of nodes) await settle(node, 1);
    await agreed();

    for (const kind of new Set(cast)) {
      await step(`those of a node of ${kind} that is killed are gone, and those of another in its place come`, async () => {
        const victim = now.findLast((node) => node.kind === kind);
        const others = now.filter((node) => node !== victim);
        const {user, url} = victim;
        await victim.kill();
        now = others;
        await agreed();
        for (const node of now) {
          assert.deepEqual(toldOfUser(node, user, url), ['added', 'removed']);
          assert.deepEqual(toldOfUser(node, 'everywhere', url), ['added', 'removed']);
        }
        now = [...others, victim];
        const again = await revive(victim);
        // It knows the others' without anything that happens there.
        await agree([again], 'present', ['everywhere', ...others.map((other) => other.user)].sort());
        await settle(again, 2);
        await agreed();
        for (const node of others) {
          assert.deepEqual(toldOfUser(node, 'everywhere', url), ['added', 'removed', 'added']);
          assert.deepEqual(toldOfUser(node, again.user, url), ['added']);
          assert.deepEqual(toldOfUser(again, node.user, node.url), ['added']);
          assert.deepEqual(toldOfUser(again, 'everywhere', node.url), ['added']);
        }
      });

      await step(`also when that one comes before the loss of the one of ${kind} is noticed`, async () => {
        const victim = now.findLast((node) => node.kind === kind);
        const others = now.filter((node) => node !== victim);
        const {user, url} = victim;
        const before = new Map(others.map((node) => [node, toldOfUser(node, 'everywhere', url).length]));
        await victim.kill();
        const again = await revive(victim);
        await settle(again, 3);
        await agreed();
        for (const node of others) {
          assert.deepEqual(toldOfUser(node, user, url), ['added', 'removed']);
          assert.deepEqual(toldOfUser(node, 'everywhere', url).slice(before.get(node)), ['removed', 'added']);
          assert.deepEqual(toldOfUser(node, again.user, url), ['added']);
          assert.deepEqual(toldOfUser(again, node.user, node.url), ['added']);
        }
      });
    }
  },
  {options: SHORT, casts: readCasts(process.env.CASTS ?? 'java,java,rust')},
);

const MANY = 20_000;

inClouds(
  'a node that joins is told of very many users',
  async ({nodes: [first], start, step}) => {
    const crowd = Array.from({length: MANY}, (_, n) => `user ${n}`).sort();
    const other = first.kind === 'java' ? 'rust' : 'java';
    /** How often a node was told something of them, and of how many. */
    const told = (node, what) => {
      const users = node.told(what).map(({user}) => user).filter((user) => user.startsWith('user '));
      return {times: users.length, users: new Set(users).size};
    };
    const once = {times: MANY, users: MANY};

    await first.ask('gather', {name: 'user ', count: MANY});
    const late = await start(other, {cloud: first.url});
    await step(`of those of ${first.kind}, once`, async () => {
      await mesh([first, late]);
      await located([late], `user ${MANY - 1}`, () => ({sessions: 0, nodes: 1}));
      await agree([first, late], 'present', crowd);
      // A list that a node sends because the other has joined, too, is told before what it says of its users later.
      await allTold([first, late]);
      for (const node of [first, late]) {
        assert.deepEqual(told(node, 'user-added'), once);
        assert.deepEqual(told(node, 'user-removed'), {times: 0, users: 0});
        assert.deepEqual(node.told('left'), []);
      }
    });

    // A node of CometD's tells it user by user, which takes its time.
    if (first.kind === 'java') return;
    await step('and of their going, once', async () => {
      await first.ask('scatter');
      await agree([first, late], 'present', []);
      await allTold([first, late]);
      for (const node of [first, late]) assert.deepEqual(told(node, 'user-removed'), once);
    });
  },
  {options: PATIENT, casts: [['rust'], ['java']]},
);
