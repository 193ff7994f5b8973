// Bids at any node are in one order, what is for one bidder comes to that one alone, and what is no bid is answered.

import assert from 'node:assert/strict';

import {
  NODES, bid, bids, call, failure, isOpen, leads, lot, notices, oneAuction, picture, sees,
} from '../lib/auction-page.js';

const atTheAuction = oneAuction();
const NAMES = ['Ann', 'Bob', 'Eve'];

atTheAuction('bids at three nodes have one order, and who is outbid is told alone', async ({room}) => {
  const pages = await Promise.all(NODES.map((node, index) => room(node, NAMES[index])));
  const [ann, bob, eve] = pages;
  for (const page of pages) {
    await isOpen(page);
    await sees(page, NAMES);
  }
  await bid(ann, 'viola', 180);
  for (const page of pages) await leads(page, 'viola', 'Ann', 180);
  await bid(bob, 'viola', 200);
  for (const page of pages) await leads(page, 'viola', 'Bob', 200);
  await ann.waitForSelector('#notices li[data-what=outbid][data-item=viola]');
  await ann.waitForSelector('.lot[data-item=viola][data-state=outbid]');
  await bob.waitForSelector('.lot[data-item=viola][data-state=leading]');
  await eve.waitForSelector('.lot[data-item=viola][data-state=open]');

  // What the others are told of later is the first that they are told.
  await bid(eve, 'viola', 300);
  await bob.waitForSelector('#notices li');
  await bid(ann, 'viola', 400.5);
  await eve.waitForSelector('#notices li');
  for (const page of pages) {
    await leads(page, 'viola', 'Ann', 400.5);
    assert.deepEqual(await notices(page), ['outbid viola']);
  }
  await picture(ann, 'auction-bids');

  // All at once: some are too low by then, and all pages show the same.
  for (const amount of [50, 90, 150]) {
    await Promise.all(pages.map((page, index) => bid(page, 'tiles', amount + index)));
  }
  await bid(eve, 'tiles', 900);
  // She may lead already, and would not outbid herself.
  await Promise.race([leads(eve, 'tiles', 'Eve', 900), failure(eve, 'tiles', 'the highest bid already')]);
  await bid(bob, 'tiles', 1_000);
  for (const page of pages) await leads(page, 'tiles', 'Bob', 1_000);
  const seen = await Promise.all(pages.map((page) => bids(page, 'tiles')));
  assert.deepEqual(seen[0], seen[1]);
  assert.deepEqual(seen[0], seen[2]);
  const numbers = seen[0].map((line) => Number(line.split(' ')[0]));
  assert.deepEqual(numbers, [numbers[0], numbers[0] - 1, numbers[0] - 2]);
  for (const page of pages) assert.deepEqual(page.complaints, []);
});

atTheAuction('what is no bid gets a clear answer', async ({room}) => {
  const page = await room('B', 'Ann');
  await isOpen(page);
  await bid(page, 'sextant', 12);
  await failure(page, 'sextant', 'at least 75.00');
  await bid(page, 'sextant', 'a lot');
  await failure(page, 'sextant', 'An amount is a number');
  await picture(page, 'auction-refused');

  const long = 'x'.repeat(300_000);
  const amount = 1_000;
  for (const [data, answer] of [
    [{item: 'sextant', amount: NaN}, /a number above 0/],
    [{item: 'sextant', amount: -1}, /a number above 0/],
    [{item: 'sextant', amount: 80.005}, /a number above 0/],
    [{item: 'sextant', amount: '1000'}, /a number above 0/],
    [{item: 'sextant', amount: {much: long}}, /a number above 0/],
    [{item: 'sextant', amount: 1e300}, /more than 1000000/],
    [{item: 'unicorn', amount}, /no such item/],
    [{item: long, amount}, /no such item/],
    [{item: '', amount}, /no such item/],
    [{item: 7, amount}, /no bid/],
    [{amount}, /no bid/],
    [null, /no bid/],
    [long, /no bid/],
  ]) {
    const said = await call(page, 'auction/bid', data);
    assert.match(said, answer, `${JSON.stringify(data).slice(0, 60)}: ${JSON.stringify(said)}`);
    assert.ok(said.length < 100, `an answer of ${said.length} characters`);
  }
  assert.match(await call(page, 'auction/say', {text: long}), /200 characters/);
  assert.match(await call(page, 'auction/say', {text: '  '}), /200 characters/);
  assert.match(await call(page, 'auction/say', {}), /a text/);

  // Who bids is who entered, whatever the bid says; who has not entered bids nothing.
  await call(page, 'auction/bid', {item: 'sextant', amount, bidder: 'Mallory'});
  await leads(page, 'sextant', 'Ann', amount);
  const watcher = await room('C');
  await leads(watcher, 'sextant', 'Ann', amount);
  assert.equal(await lot(watcher, 'sextant').locator('.bid').isDisabled(), true);
  assert.match(await call(watcher, 'auction/bid', {item: 'sextant', amount: 2_000}), /Enter first/);
  await sees(watcher, ['Ann']);
});

atTheAuction('nobody speaks for the house, and no name is endless', async ({room}) => {
  const page = await room('A', 'Ann');
  await isOpen(page);
  const refused = await page.evaluate(async () => {
    const {client} = await import('/house.js');
    const tries = ['/auction/lots', '/auction/house', '/auction/chat', '/mine'].map((channel) =>
      client.publish(channel, {forged: true}).then(() => channel, (error) => error.message),
    );
    return Promise.all(tries);
  });
  for (const error of refused) assert.match(error, /does not allow/);
  await page.click('#leave');
  await page.waitForSelector('#enter:not([hidden])');
  await page.$eval('#name', (field) => field.removeAttribute('maxlength'));
  await page.fill('#name', 'x'.repeat(25));
  await page.click('#enter');
  await page.locator('#status-reason', {hasText: '1 to 24 characters'}).waitFor();
  await page.waitForSelector('#status[data-state=disconnected]');
});
