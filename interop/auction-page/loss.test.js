// A node is killed, the one that decides: the others go on with all that it had confirmed.

import assert from 'node:assert/strict';

import {
  NODES, bid, bidUntilTaken, bids, decides, failure, isOpen, kill, leads, oneAuction, picture, sees, start,
} from '../lib/auction-page.js';

const atTheAuction = oneAuction();

atTheAuction('the node that decides is killed, and confirmed bids stay', async ({door, room}) => {
  const names = {A: 'Ann', B: 'Bob', C: 'Eve'};
  const pages = {};
  for (const node of NODES) pages[node] = await room(node, names[node]);
  for (const page of Object.values(pages)) {
    await isOpen(page);
    await sees(page, Object.values(names));
  }
  const lost = await decides(pages.A);
  const [left, right] = NODES.filter((node) => node !== lost);
  await bid(pages[lost], 'regulator', 300);
  await leads(pages[left], 'regulator', names[lost], 300);
  await bid(pages[left], 'regulator', 400);
  for (const page of Object.values(pages)) await leads(page, 'regulator', names[left], 400);

  await kill(door, lost);
  await pages[lost].waitForSelector('#status[data-state=reconnecting]');
  for (const node of [left, right]) {
    await pages[node].waitForSelector(`#nodes li[data-node=${lost}]`, {state: 'detached'});
    await sees(pages[node], [names[left], names[right]]);
    await pages[node].waitForSelector(`#nodes li[data-decides]:not([data-node=${lost}])`);
  }
  await picture(pages[lost], 'auction-lost');
  await bidUntilTaken(pages[right], 'regulator', names[right], 500);
  await leads(pages[left], 'regulator', names[right], 500);
  await pages[left].waitForSelector('#notices li[data-what=outbid]');
  assert.deepEqual(await bids(pages[left], 'regulator'), [
    `3 ${names[right]}`, `2 ${names[left]}`, `1 ${names[lost]}`,
  ]);

  // Its page comes back by itself, with its bidder and all bids, also those that it missed.
  await start(door, lost);
  await leads(pages[lost], 'regulator', names[right], 500);
  for (const page of Object.values(pages)) await sees(page, Object.values(names));
  await bidUntilTaken(pages[lost], 'regulator', names[lost], 600);
  for (const page of Object.values(pages)) await leads(page, 'regulator', names[lost], 600);
  await pages[right].waitForSelector('#notices li[data-what=outbid]');
  await picture(pages[lost], 'auction-healed');
});

atTheAuction('a node that is alone takes no bid, and keeps all for those that come', async ({door, room}) => {
  const page = await room('B', 'Bob');
  await isOpen(page);
  await bid(page, 'moon-atlas', 125);
  await leads(page, 'moon-atlas', 'Bob', 125);
  await kill(door, 'A');
  await kill(door, 'C');
  await page.waitForSelector('#no-auctioneer:not([hidden])');
  await bid(page, 'viola', 180);
  await failure(page, 'viola', 'at least two nodes are needed');
  await picture(page, 'auction-alone');
  await start(door, 'A');
  const other = await room('A', 'Ann');
  await leads(other, 'moon-atlas', 'Bob', 125);
  await bidUntilTaken(other, 'moon-atlas', 'Ann', 200);
  await leads(page, 'moon-atlas', 'Ann', 200);
});
