// What one node asks another, or all, is answered once.

import assert from 'node:assert/strict';

import {inClouds} from '../lib/cloud.js';

inClouds('a service is at each node', async ({nodes, start, cast, step}) => {
  const pairs = nodes.flatMap((from) => nodes.map((to) => [from, to]));

  await step('each node asks each, and itself', async () => {
    for (const [from, to] of pairs) {
      const parameter = {from: from.url, list: [1, null]};
      assert.deepEqual(await from.ask('forward', {url: to.url, parameter}), {echo: parameter, by: to.url});
    }
  });

  await step('answers find their questions', async () => {
    const asked = Array.from({length: 300}, async (_, n) => {
      const [from, to] = pairs[n % pairs.length];
      assert.deepEqual(await from.ask('forward', {url: to.url, parameter: n}), {echo: n, by: to.url});
    });
    await Promise.all(asked);
  });

  await step('a failure comes back, and so does what goes wrong', async () => {
    for (const [from, to] of pairs) {
      await assert.rejects(from.ask('forward', {url: to.url, parameter: 'fail'}), /failed/);
      await assert.rejects(from.ask('forward', {url: to.url, parameter: 'throw'}), /thrown/);
      await assert.rejects(from.ask('forward', {url: to.url, parameter: 'ignore'}), /ignored/);
    }
  });

  await step('who is not there is not asked', async () => {
    for (const node of nodes) {
      await assert.rejects(node.ask('forward', {url: 'http://127.0.0.1:1/cometd', parameter: 1}), /not forwarded/);
    }
  });

  await step('of all that are asked one answers', async () => {
    for (const node of nodes) {
      assert.deepEqual((await node.ask('forward', {parameter: 'to all'})).echo, 'to all');
      const other = await node.ask('forward', {parameter: 'ignore-own'});
      assert.notEqual(other.by, node.url);
      assert.equal(other.echo, 'ignore-own');
    }
  });

  await step('a question to all that none answers fails in time', async () => {
    await Promise.all(nodes.map((node) => assert.rejects(node.ask('forward', {parameter: 'ignore'}), /Timeout|within/)));
  });

  await step('each node draws numbers of the primary that nobody else has', async () => {
    const primary = await start(cast[0], {cloud: nodes[0].url, primary: true});
    const all = [...nodes, primary];
    for (const node of all) await node.until('primary', (url) => url === primary.url, 'the primary');
    const asked = Array.from({length: 60}, (_, n) => all[n % all.length].ask('number'));
    const numbers = await Promise.all(asked);
    assert.deepEqual(numbers.sort((a, b) => a - b), Array.from({length: 60}, (_, n) => n));
  });
});
