// What is put into the map on one node is there on all, and a node that is killed takes its own along.

import assert from 'node:assert/strict';

import {NODES, allJoined, has, onTheClusterPage, picture, press, put, row, sees} from '../lib/cluster-page.js';

onTheClusterPage('an entry is on all nodes, and goes when it is removed', async ({open}) => {
  const page = await open();
  await allJoined(page);
  await put(page, 'A', 'colour', 'woad');
  for (const node of NODES) await has(page, node, 'A', 'colour', 'woad');
  // The same key of another node is another entry.
  await put(page, 'B', 'colour', 'madder');
  for (const node of NODES) await has(page, node, 'B', 'colour', 'madder');
  await put(page, 'A', 'colour', 'weld <b>');
  for (const node of NODES) await has(page, node, 'A', 'colour', 'weld <b>');
  await picture(page, 'cluster-map');
  await row(page, 'A', 'A', 'colour').locator('.remove').click();
  for (const node of NODES) await row(page, node, 'A', 'colour').waitFor({state: 'detached'});
  for (const node of NODES) await has(page, node, 'B', 'colour', 'madder');
  assert.equal(await row(page, 'A', 'B', 'colour').locator('.remove').count(), 0);
  assert.deepEqual(page.complaints, []);
});

onTheClusterPage('a node that is killed leaves, and when it is started again the map heals', async ({open}) => {
  const page = await open();
  await allJoined(page);
  await put(page, 'A', 'stays', 'of A');
  await put(page, 'B', 'goes', 'of B');
  for (const node of NODES) await has(page, node, 'B', 'goes', 'of B');

  await press(page, 'B', 'kill');
  await page.waitForSelector('.node[data-node=B][data-state=down][data-seen=stale]');
  await sees(page, 'A', ['C']);
  await sees(page, 'C', ['A']);
  for (const node of ['A', 'C']) {
    await row(page, node, 'B', 'goes').waitFor({state: 'detached'});
    await has(page, node, 'A', 'stays', 'of A');
  }
  await page.waitForSelector('#log li[data-kind=killed]');
  await picture(page, 'cluster-killed');
  await put(page, 'C', 'meanwhile', 'of C');

  await press(page, 'B', 'start');
  await allJoined(page);
  await has(page, 'B', 'A', 'stays', 'of A');
  await has(page, 'B', 'C', 'meanwhile', 'of C');
  for (const node of NODES) await has(page, node, 'B', 'B', 'life 2');
  for (const node of NODES) assert.equal(await row(page, node, 'B', 'goes').count(), 0);
  await picture(page, 'cluster-healed');
});

onTheClusterPage('all nodes but one are killed and started again', async ({open}) => {
  const page = await open();
  await allJoined(page);
  await put(page, 'C', 'survives', 'of C');
  for (const node of ['A', 'B']) await press(page, node, 'kill');
  await sees(page, 'C', []);
  await picture(page, 'cluster-alone');
  for (const node of ['A', 'B']) await press(page, node, 'start');
  await allJoined(page);
  for (const node of NODES) await has(page, node, 'C', 'survives', 'of C');
});
