// The pages of the auction example, opened in Chromium by bidders on its nodes.

import {after, test} from 'node:test';
import {fileURLToPath} from 'node:url';

import {oneBrowser, picture as take} from './chromium.js';
import {startProgram} from './demo.js';

export const PROGRAM =
  process.env.BAYEUX_AUCTION ?? fileURLToPath(new URL('../../target/release/auction', import.meta.url));
export const NODES = ['A', 'B', 'C'];

const openPage = oneBrowser();

/** Saves what the page looks like, down to its end. */
export const picture = (page, name) => take(page, name, {fullPage: true});

/**
 * Returns what declares a test of one auction, which the first of them starts, and which ends after all. The body gets
 * the door's page, and functions that say where a node is, and open its room there or by another way.
 */
export function oneAuction(args = []) {
  let auction, door;
  const open = async (url, settings = {}) => {
    const page = await openPage({viewport: {width: 1360, height: 900}, ...settings});
    page.setDefaultTimeout(60_000);
    await page.goto(url);
    return page;
  };
  const begin = async () => {
    auction = await startProgram(PROGRAM, ['--listen', '127.0.0.1:0', ...args]);
    door = await open(`${auction.origin}/`);
    await Promise.all(NODES.map((node) => isUp(door, node)));
  };
  after(() => auction?.stop());
  return (name, body) =>
    test(name, {timeout: 120_000}, async (t) => {
      if (!auction) await begin();
      const pages = [];
      const urlOf = (node) => door.getAttribute(`.place[data-node=${node}] .enter`, 'href');
      const visit = async (url, bidder, settings) => {
        const page = await open(url, settings);
        pages.push(page);
        await page.waitForSelector('#status[data-state=connected]');
        if (bidder) await enter(page, bidder);
        return page;
      };
      const room = async (node, bidder, settings) => visit(await urlOf(node), bidder, settings);
      try {
        await body({door, room, visit, urlOf});
      } finally {
        for (const page of pages) await page.context().close();
        auction.output.all.forEach((line) => t.diagnostic(`auction: ${line}`));
      }
    });
}

export const isUp = (door, node) => door.waitForSelector(`.place[data-node=${node}][data-state=up]`);

/** Kills a node, and waits until it is dead. */
export async function kill(door, node) {
  await door.click(`.place[data-node=${node}] .kill`);
  await door.waitForSelector(`.place[data-node=${node}][data-state=down]`);
}

/** Starts a node again. */
export async function start(door, node) {
  await door.click(`.place[data-node=${node}] .start`);
  await isUp(door, node);
}

/** Enters under a name. */
export async function enter(page, bidder) {
  await page.fill('#name', bidder);
  await page.click('#enter');
  await page.waitForSelector(`body[data-you="${bidder}"]`);
}

/** The card of an item. */
export const lot = (page, item) => page.locator(`.lot[data-item=${item}]`);

/** Waits until bids are taken: until some node decides, and the lots are offered. */
export async function isOpen(page) {
  await page.waitForSelector('#nodes li[data-decides]');
  await page.waitForSelector('.lot[data-state=open]');
}

/** Which node decides, as a page says. */
export const decides = (page) => page.getAttribute('#nodes li[data-decides]', 'data-node');

/** Waits until a page says that these bidders are there, and no others. */
export async function sees(page, bidders) {
  for (const bidder of bidders) await page.waitForSelector(`#bidders li[data-bidder="${bidder}"]`);
  await page.locator('#bidder-count', {hasText: new RegExp(`^${bidders.length}$`)}).waitFor();
}

/** Bids, without waiting for what comes of it. */
export async function bid(page, item, amount) {
  await lot(page, item).locator('.amount').fill(String(amount));
  await lot(page, item).locator('.bid').click();
}

/** Waits until a page shows that a bid is the highest. */
export const leads = (page, item, bidder, amount) =>
  page.waitForSelector(
    `.lot[data-item=${item}]:has(.price[data-cents="${amount * 100}"]) .bids li:first-child[data-bidder="${bidder}"]`,
    {state: 'attached'},
  );

/** What the page says of a bid that does not count. */
export async function failure(page, item, text) {
  await lot(page, item).locator('.failure:not([hidden])', {hasText: text}).waitFor();
}

/** Bids until a bid is taken: none is while nobody decides, or when the lot has closed at that moment. */
export async function bidUntilTaken(page, item, bidder, amount) {
  const deadline = Date.now() + 30_000;
  for (;;) {
    await bid(page, item, amount);
    const taken = leads(page, item, bidder, amount).then(() => true);
    const refused = failure(page, item, /auctioneer|[Tt]ry again|may count|closed/).then(() => false);
    if (await Promise.race([taken, refused])) return;
    if (Date.now() > deadline) throw new Error('no bid is taken');
    await page.$eval(`.lot[data-item=${item}] .failure`, (place) => (place.hidden = true));
  }
}

/** The bids of an item that a page shows, as `number bidder`. */
export const bids = (page, item) =>
  lot(page, item)
    .locator('.bids li')
    .evaluateAll((items) => items.map(({dataset}) => `${dataset.number} ${dataset.bidder}`));

/** What was told to the bidder alone, as `what item`. */
export const notices = (page) =>
  page
    .locator('#notices li')
    .evaluateAll((items) => items.map(({dataset}) => `${dataset.what} ${dataset.item}`));

/** Calls the house from the page's own client; returns what it answers, or says why not. */
export const call = (page, target, data) =>
  page.evaluate(
    async ([target, data]) => {
      const {client, why} = await import('/house.js');
      return client.remoteCall(target, data).catch((error) => why(error));
    },
    [target, data],
  );
