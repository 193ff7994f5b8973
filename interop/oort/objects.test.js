// Objects are equal on all nodes through whatever each of them does.

import assert from 'node:assert/strict';

import {agree, inClouds, mesh} from '../lib/cloud.js';

const parts = (nodes, part) => Object.fromEntries(nodes.map((node, index) => [node.url, part(node, index)]));

inClouds('objects are shared', async ({nodes, start, cast, step}) => {
  /** Has each part empty for the next step. */
  const clear = async () => {
    for (const node of nodes) await node.ask('clear');
    await agree(nodes, 'map', parts(nodes, () => ({})));
    await agree(nodes, 'list', parts(nodes, () => []));
    await agree(nodes, 'sum', 0);
  };

  await step('maps are equal through puts and removes', async () => {
    for (const node of nodes) {
      await node.ask('put', {key: 'own', value: node.url});
      await node.ask('put', {key: 'same', value: 1});
      assert.equal(await node.ask('put', {key: 'same', value: 2}), 1);
      assert.equal(await node.ask('put-absent', {key: 'same', value: 3}), 2);
      assert.equal(await node.ask('put-absent', {key: 'gone', value: true}), null);
      assert.equal(await node.ask('remove', {key: 'gone'}), true);
      assert.equal(await node.ask('remove', {key: 'never'}), null);
    }
    await agree(nodes, 'map', parts(nodes, ({url}) => ({own: url, same: 2})));
    for (const node of nodes) {
      assert.equal(await node.ask('find', {key: 'same'}), 2);
      assert.equal(await node.ask('find', {key: 'gone'}), null);
    }
    await clear();
  });

  await step('maps are equal after many puts and removes at a time', async () => {
    const keys = 40;
    await Promise.all(
      nodes.map(async (node) => {
        const asked = [];
        for (let n = 0; n < 400; n++) {
          const key = `key ${(n * 7) % keys}`;
          asked.push(n % 5 === 4 ? node.ask('remove', {key}) : node.ask('put', {key, value: {n, by: node.url}}));
        }
        await Promise.all(asked);
      }),
    );
    const own = {};
    for (const node of nodes) own[node.url] = (await node.ask('map'))[node.url];
    await agree(nodes, 'map', own);
    await clear();
  });

  await step('what is told of a map is what became of it', async () => {
    for (const node of nodes) {
      for (const {url} of nodes) {
        const entries = {};
        for (const {event, key, old, value} of node.told('put', 'removed').filter((told) => told.node === url)) {
          assert.deepEqual(old ?? null, entries[key] ?? null, `${event} ${key} of ${url} at ${node.url}`);
          if (event === 'put') entries[key] = value;
          else delete entries[key];
        }
        assert.deepEqual(entries, {});
      }
    }
  });

  await step('lists are equal through adds and removes', async () => {
    for (const node of nodes) {
      assert.equal(await node.ask('add', {elements: ['a', {by: node.url}, 3]}), true);
      assert.equal(await node.ask('add', {elements: ['a']}), true);
      assert.equal(await node.ask('take', {elements: [3, 'never']}), true);
      assert.equal(await node.ask('take', {elements: ['never']}), false);
    }
    await agree(nodes, 'list', parts(nodes, ({url}) => ['a', {by: url}, 'a']));
    await nodes[0].ask('take', {elements: ['a']});
    await agree(nodes, 'list', parts(nodes, ({url}, index) => (index ? ['a', {by: url}, 'a'] : [{by: url}])));
    await clear();
  });

  await step('a number is the sum of all', async () => {
    for (const [index, node] of nodes.entries()) {
      assert.equal(await node.ask('count', {by: 10 ** index}), 10 ** index);
      assert.equal(await node.ask('count', {by: -2}), 10 ** index - 2);
    }
    await agree(nodes, 'sum', 111 - 6);
    await clear();
  });

  await step('values arrive as they are', async () => {
    const value = {
      text: 'é \u2028 </script> \u{1F600} "\\',
      yes: true,
      nothing: null,
      whole: 2 ** 53 - 1,
      small: -0.5,
      large: 1e300,
      list: [1, null, 'x', {deep: [{}]}],
      empty: {},
    };
    for (const node of nodes) {
      await node.ask('put', {key: 'value', value});
      await node.ask('add', {elements: [value]});
    }
    await agree(nodes, 'map', parts(nodes, () => ({value})));
    await agree(nodes, 'list', parts(nodes, () => [value]));
    await clear();
  });

  await step('one that comes later gets what all have, and they get what it has', async () => {
    const fill = async (node) => {
      const puts = Array.from({length: 300}, (_, n) => node.ask('put', {key: `${n}`, value: `${n} of ${node.url}`}));
      await Promise.all(puts);
      await node.ask('add', {elements: ['first', 'second']});
      await node.ask('count', {by: 5});
    };
    for (const node of nodes) await fill(node);
    for (const kind of new Set(cast)) {
      const late = await start(kind, {cloud: nodes[0].url});
      nodes.push(late);
      await fill(late);
    }
    await mesh(nodes);
    const entries = (url) => Object.fromEntries(Array.from({length: 300}, (_, n) => [`${n}`, `${n} of ${url}`]));
    await agree(nodes, 'map', parts(nodes, ({url}) => entries(url)));
    await agree(nodes, 'list', parts(nodes, () => ['first', 'second']));
    await agree(nodes, 'sum', 5 * nodes.length);
  });
});
