// Two demos that are nodes of one cluster: their users are in the same rooms.

import assert from 'node:assert/strict';

import {startDemoNodes} from '../lib/demo-nodes.js';
import {connected, entry, join, members, onTheDemoPage, picture, say} from '../lib/demo-page.js';

onTheDemoPage('people on two nodes chat, in public and in private', async ({open, atEnd}) => {
  const {nodes: [one, two]} = await startDemoNodes(atEnd);
  const [Ann, Bob, Cyd] = [await open(), await open(), await open()];
  const places = [[Ann, 'Ann', one], [Bob, 'Bob', two], [Cyd, 'Cyd', two]];
  for (const [page, user, node] of places) {
    await page.goto(`${node.origin}/`);
    await connected(page, 'websocket');
    await join(page, user, 'lobby');
  }
  for (const [page] of places) {
    for (const user of ['Ann', 'Bob', 'Cyd']) await page.waitForSelector(`#members li[data-user=${user}]`);
  }
  await say(Ann, 'Hello on the other side');
  for (const page of [Ann, Bob, Cyd]) await entry(page, 'chat', 'Hello on the other side').waitFor();
  await say(Ann, 'Between you and me', ['Bob']);
  for (const page of [Ann, Bob]) await entry(page, 'private', 'Between you and me').waitFor();
  await say(Cyd, 'And now for all');
  await entry(Ann, 'chat', 'And now for all').waitFor();
  for (const page of [Ann, Bob, Cyd]) {
    assert.equal(await entry(page, 'chat', 'Hello on the other side').count(), 1);
  }
  assert.equal(await entry(Cyd, 'private', 'Between you and me').count(), 0);
  // Each node counts its own visitors, and not the other node.
  for (const [page, count] of [[Ann, '1'], [Bob, '2']]) {
    await page.waitForFunction((text) => document.querySelector('#stat-sessions').textContent === text, count);
  }
  await picture(Bob, 'chat-two-nodes');

  // A node that is killed takes its members along.
  await two.stop('SIGKILL');
  await Ann.waitForFunction(() => document.querySelectorAll('#members li').length === 1, null, {timeout: 60_000});
  assert.deepEqual(await members(Ann), ['Ann']);
  assert.deepEqual(Ann.complaints, []);
});
