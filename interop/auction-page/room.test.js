// Who is in the rooms, what is found there, how lots end, and what it looks like.

import assert from 'node:assert/strict';

import {
  bid, bidUntilTaken, bids, call, enter, failure, isOpen, leads, lot, notices, oneAuction, picture, sees,
} from '../lib/auction-page.js';

const atTheAuction = oneAuction();
const atAShortAuction = oneAuction(['--open', '3']);

atTheAuction('a bidder on two nodes is told on both, and is there until the last window goes', async ({room}) => {
  const [phone, laptop, bob] = [await room('A', 'Ann'), await room('B', 'Ann'), await room('C', 'Bob')];
  await isOpen(bob);
  await sees(bob, ['Ann', 'Bob']);
  await bob.locator('#bidders li[data-bidder=Ann]', {hasText: 'A B'}).waitFor();
  await bid(phone, 'cuckoo', 15);
  await laptop.waitForSelector('.lot[data-item=cuckoo][data-state=leading]');
  await bid(bob, 'cuckoo', 20);
  for (const page of [phone, laptop]) await page.waitForSelector('#notices li[data-item=cuckoo]');

  await bob.fill('#words', 'good <b>evening</b>');
  // Whoever is impatient says it once all the same.
  await bob.$eval('#say', (button) => [1, 2, 3].forEach(() => button.click()));
  await bob.waitForSelector('#say:enabled');
  await bob.fill('#words', 'and good night');
  await bob.click('#say');
  for (const page of [phone, laptop, bob]) {
    await page.locator('#chat li[data-from=Bob]', {hasText: 'and good night'}).waitFor();
    assert.deepEqual(await page.locator('#chat li p').allTextContents(), [
      'Bob and good night', 'Bob good <b>evening</b>',
    ]);
  }
  await phone.click('#leave');
  await bob.locator('#bidders li[data-bidder=Ann]', {hasText: /B$/}).waitFor();
  await laptop.context().close();
  await sees(bob, ['Bob']);

  // Who has left only watches, and may enter under another name.
  assert.equal(await lot(phone, 'cuckoo').locator('.bid').isDisabled(), true);
  await enter(phone, 'Dan');
  await sees(bob, ['Bob', 'Dan']);
  assert.deepEqual(await notices(phone), []);
  // Ann was outbid, and Dan was not.
  assert.equal(await lot(phone, 'cuckoo').getAttribute('data-state'), 'open');
  await bid(bob, 'cuckoo', 99);
  await failure(bob, 'cuckoo', 'the highest bid already');
});

atTheAuction('who is there is not shown as it was before, and another session begins anew', async ({room}) => {
  const page = await room('A', 'Ann');
  await sees(page, ['Ann']);
  const counts = await page.evaluate(async () => {
    const {showHouse} = await import('/people.js');
    return [1_000_000, 999_999, 1].map((number) => {
      showHouse({number, seen: {nodes: [], decides: null, bidders: {count: number, shown: []}}});
      return document.querySelector('#bidder-count').textContent;
    });
  });
  assert.deepEqual(counts, Array(3).fill('1000000'));
  // As that of a node that was started again, which counts from 1.
  await page.click('#leave');
  await enter(page, 'Dan');
  await sees(page, ['Dan']);
});

atTheAuction('who has bid is outbid, however many bids come after', async ({room}) => {
  const [ann, bob, eve] = [await room('A', 'Ann'), await room('B', 'Bob'), await room('C', 'Eve')];
  await isOpen(bob);
  await bid(ann, 'regulator', 300);
  await leads(ann, 'regulator', 'Ann', 300);
  for (const amount of [400, 600, 800]) {
    await call(bob, 'auction/bid', {item: 'regulator', amount});
    await call(eve, 'auction/bid', {item: 'regulator', amount: amount + 100});
  }
  await leads(ann, 'regulator', 'Eve', 900);
  assert.deepEqual(await bids(ann, 'regulator'), ['7 Eve', '6 Bob', '5 Eve']);
  assert.equal(await lot(ann, 'regulator').getAttribute('data-state'), 'outbid');
  // So is her page when it is loaded only then, and one that is told late of what was before.
  const other = await room('B', 'Ann');
  for (const page of [ann, other]) {
    await leads(page, 'regulator', 'Eve', 900);
    await page.evaluate(async () => {
      const {takeLot} = await import('/lots.js');
      const [name, cents] = [document.body.dataset.you, 30_000];
      const lot = {round: 0, closes: 0, is_closed: true, bids: [{number: 1, bidder: name, cents}], bidders: [name]};
      takeLot({item: 'regulator', lot, least: cents});
    });
    assert.equal(await lot(page, 'regulator').getAttribute('data-state'), 'outbid');
    assert.deepEqual(await bids(page, 'regulator'), ['7 Eve', '6 Bob', '5 Eve']);
  }
});

atTheAuction('an amount that was typed stays, and one that nobody typed is the least that counts', async ({room}) => {
  const [page, other] = [await room('A', 'Ann'), await room('B', 'Bob')];
  await isOpen(other);
  const amount = (item) => lot(page, item).locator('.amount');
  const least = async (item, value) => page.waitForFunction(
    ([item, value]) => document.querySelector(`.lot[data-item=${item}] .amount`).value === value, [item, value]);
  await amount('ship-clock').fill('5000');
  await page.focus('#words');
  await bid(other, 'ship-clock', 1_000);
  await leads(page, 'ship-clock', 'Bob', 1_000);
  assert.equal(await amount('ship-clock').inputValue(), '5000');
  await lot(page, 'ship-clock').locator('.bid').click();
  await leads(page, 'ship-clock', 'Ann', 5_000);
  // What was bid is done with.
  await least('ship-clock', '5250.00');
  await bid(other, 'ship-clock', 6_000);
  await least('ship-clock', '6300.00');
});

atAShortAuction('after the end no bid counts, the winner is told, and the lot comes again', async ({room}) => {
  const page = await room('A', 'Ann');
  const other = await room('B', 'Bob');
  await isOpen(page);
  await bidUntilTaken(page, 'salt-jar', 'Ann', 20);
  await page.waitForSelector('#notices li[data-what=won][data-item=salt-jar]');
  assert.match(await page.textContent('#notices li'), /Salt-glazed jar is yours, for € 20.00/);
  await other.locator('.lot[data-item=salt-jar] .leader', {hasText: 'sold to Ann'}).waitFor();
  assert.match(await call(other, 'auction/bid', {item: 'salt-jar', amount: 500}), /It is closed/);
  await other.locator('.lot[data-item=salt-jar] .leader', {hasText: 'no bid yet'}).waitFor();
  assert.equal(await other.locator('#notices li').count(), 0);
});

atTheAuction('lots are found by category and by words', async ({door, room}) => {
  const page = await room('C');
  await isOpen(page);
  assert.equal((await shown(page)).length, 12);
  await page.click('.chip[data-category=Clocks]');
  assert.deepEqual(await shown(page), ['ship-clock', 'cuckoo', 'regulator']);
  await page.fill('#search', 'DOOR hour');
  assert.deepEqual(await shown(page), ['cuckoo']);
  await page.fill('#search', 'viola');
  assert.deepEqual(await shown(page), []);
  await page.waitForSelector('#nothing:not([hidden])');
  await page.click('.chip[data-category=""]');
  assert.deepEqual(await shown(page), ['viola']);
  await picture(door, 'auction-door');
});

atTheAuction('nothing sticks out of a screen', async ({room}) => {
  for (const [name, settings] of Object.entries({
    narrow: {viewport: {width: 390, height: 844}},
    dark: {colorScheme: 'dark'},
    wide: {viewport: {width: 1920, height: 1080}},
  })) {
    const bidder = `${name} ${'W'.repeat(23 - name.length)}`;
    const page = await room('A', bidder, settings);
    await isOpen(page);
    const amount = {narrow: 500_000, dark: 600_000, wide: 700_000}[name];
    await bid(page, 'tea-bowl', amount);
    await leads(page, 'tea-bowl', bidder, amount);
    await page.fill('#words', 'w'.repeat(200));
    await page.click('#say');
    await page.waitForSelector('#chat li');
    const [inner, outer] = await page.evaluate(() => [
      document.documentElement.scrollWidth,
      document.documentElement.clientWidth,
    ]);
    await picture(page, `auction-${name}`);
    assert.ok(inner <= outer, `${name}: ${inner} pixels wide on a screen of ${outer}`);
    assert.equal(await lot(page, 'tea-bowl').getAttribute('data-state'), 'leading');
  }
});

/** The items that a page shows. */
function shown(page) {
  return page.locator('.lot:not([hidden])').evaluateAll((lots) => lots.map(({dataset}) => dataset.item));
}
