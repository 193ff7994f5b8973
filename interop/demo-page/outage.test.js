// What people are told when the connection is bad: nothing is lost unnoticed, and nothing is said to be lost that is not.

import assert from 'node:assert/strict';

import {connected, entry, join, members, onTheDemoPage, picture, say} from '../lib/demo-page.js';

/** Opens the page by a link of its own, and joins the lobby. */
async function enter(open, origin, user) {
  const page = await open();
  page.setDefaultTimeout(60_000);
  await page.goto(`${origin}/`);
  await connected(page, 'websocket');
  await join(page, user, 'lobby');
  return page;
}

const notes = (page) => page.locator('#messages .entry[data-kind=note] .text').allTextContents();

onTheDemoPage('what was sent into a link that breaks comes again, in the same session', async ({open, demo, link}) => {
  const slow = await link();
  const Ann = await enter(open, slow.origin, 'Ann');
  const Bob = await enter(open, demo.origin, 'Bob');
  await Ann.waitForSelector('#members li[data-user=Bob]');
  slow.hold();
  await say(Bob, 'While you were away');
  await entry(Bob, 'chat', 'While you were away').waitFor();
  slow.cut();
  await entry(Ann, 'chat', 'While you were away').waitFor();
  assert.equal(await entry(Ann, 'chat', 'While you were away').count(), 1);
  await entry(Ann, 'note', 'Connected again').waitFor();
  const told = (await notes(Ann)).filter((text) => text.startsWith('Connected again'));
  assert.equal(told.length, 1);
  assert.doesNotMatch(told[0], /missing/);
}, {options: {maxInterval: 30_000}});

onTheDemoPage('what may be missing after a long outage is told, once', async ({open, demo, link}) => {
  const thin = await link();
  const Ann = await enter(open, thin.origin, 'Ann');
  const Bob = await enter(open, demo.origin, 'Bob');
  thin.interrupt();
  await entry(Bob, 'note', 'Ann is gone').waitFor();
  assert.deepEqual(await members(Bob), ['Bob']);
  await picture(Ann, 'outage');
  thin.restore();
  await entry(Ann, 'note', 'Connected again after').waitFor();
  await entry(Bob, 'note', 'Ann is here again').waitFor();
  const told = (await notes(Ann)).filter((text) => text.startsWith('Connected again'));
  assert.equal(told.length, 1);
  assert.match(told[0], /^Connected again after \d+ s; what was said meanwhile may be missing$/);
  await picture(Ann, 'outage-over');
}, {options: {maxInterval: 5_000}});

onTheDemoPage('what is late is not said to be lost', async ({open, demo, link}) => {
  const slow = await link();
  const Ann = await enter(open, slow.origin, 'Ann');
  slow.hold();
  await say(Ann, 'Typed in the dark');
  await Ann.waitForSelector('#send-error:not([hidden])');
  assert.match(await Ann.textContent('#send-error'), /^Not confirmed; it may have arrived: /);
  assert.equal(await Ann.inputValue('#message'), 'Typed in the dark');
  await picture(Ann, 'not-confirmed');
  slow.release();
  await entry(Ann, 'chat', 'Typed in the dark').waitFor();
  await Ann.waitForSelector('#send-error', {state: 'hidden'});
  assert.equal(await Ann.inputValue('#message'), '');
  assert.equal(await entry(Ann, 'chat', 'Typed in the dark').count(), 1);
  // The server is to wait for longer than the page, which gives up after 10 s.
}, {options: {maxInterval: 30_000}});

onTheDemoPage('a link that died unnoticed is noticed when the page is looked at', async ({open, demo, link}) => {
  const slow = await link();
  const Ann = await enter(open, slow.origin, 'Ann');
  slow.hold();
  await Ann.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
  // Otherwise that takes the 30 s of a connect, and more.
  await Ann.waitForSelector('#status[data-state=reconnecting]', {timeout: 12_000});
  assert.match(await Ann.textContent('#status-reason'), /^The server did not answer in time\. Next try in \d+ s\.$/);
  slow.release();
  await connected(Ann, 'websocket');
});

onTheDemoPage('a private message to nobody is told', async ({open, demo}) => {
  const [Ann, Bob] = [await enter(open, demo.origin, 'Ann'), await enter(open, demo.origin, 'Bob')];
  await Ann.waitForSelector('#members li[data-user=Bob]');
  await say(Ann, 'Are you there?', ['Bog', 'Bob']);
  await entry(Bob, 'private', 'Are you there?').waitFor();
  await entry(Ann, 'note', 'Not delivered to Bog: nobody of that name is in lobby').waitFor();
  await Ann.waitForSelector('#private-unknown:not([hidden])');
  assert.equal(await Ann.textContent('#private-unknown'), 'Not in the room: Bog');
  await picture(Ann, 'private-nobody');
  await say(Ann, 'And you alone', ['Bob']);
  await entry(Bob, 'private', 'And you alone').waitFor();
  await Ann.waitForSelector('#private-unknown', {state: 'hidden'});
  assert.equal(await entry(Ann, 'note', 'Not delivered').count(), 1);
});

onTheDemoPage('a private message that was not sent is no label of one that is', async ({open, demo}) => {
  const [Ann, Cyd] = [await enter(open, demo.origin, 'Ann'), await enter(open, demo.origin, 'Cyd')];
  await Ann.click('#toggle');
  await Ann.waitForSelector('#status[data-state=disconnected]');
  await say(Ann, 'Psst', ['Bob']);
  await Ann.waitForSelector('#send-error:not([hidden])');
  await Ann.click('#toggle');
  await connected(Ann, 'websocket');
  await say(Ann, 'Psst', ['Cyd']);
  await entry(Cyd, 'private', 'Psst').waitFor();
  await entry(Ann, 'private', 'Psst').waitFor();
  assert.equal(await entry(Ann, 'private', 'Psst').locator('.scope').textContent(), 'private, to Cyd');
});

onTheDemoPage('who has gone from a room is no news in the next', async ({open, demo}) => {
  const [Ann, Bob] = [await enter(open, demo.origin, 'Ann'), await enter(open, demo.origin, 'Bob')];
  await Ann.waitForSelector('#members li[data-user=Bob]');
  await Bob.click('#leave');
  await Ann.waitForSelector('#members li[data-user=Bob]', {state: 'detached'});
  await Ann.fill('#room', 'garden');
  await Ann.click('#join');
  await Ann.waitForFunction(() => document.querySelector('#room-title').textContent === 'garden');
  // As long as the page gives a goodbye, and later.
  await Ann.evaluate(() => new Promise((resolve) => setTimeout(resolve, 1_500)));
  assert.deepEqual(await notes(Ann), []);
});

onTheDemoPage('without a connection the page shows what is old, and the end of the talk', async ({open, demo, link}) => {
  const thin = await link();
  const Ann = await enter(open, thin.origin, 'Ann');
  for (let n = 1; n <= 30; n++) await say(Ann, `Line ${n}`);
  await entry(Ann, 'chat', 'Line 30').waitFor();
  thin.interrupt();
  await Ann.waitForSelector('#status-reason:not([hidden])');
  assert.match(await Ann.textContent('#status-reason'), /^The [a-z ]+\. Next try in \d+ s\.$/);
  await Ann.waitForFunction(() => {
    const log = document.querySelector('#messages');
    return log.scrollHeight - log.scrollTop - log.clientHeight < 4;
  });
  assert.ok(await Ann.isHidden('#messages-end'));
  await Ann.waitForSelector('#members.is-stale');
  await Ann.waitForSelector('#members-stale:not([hidden])');
  await Ann.click('#echo-send');
  await Ann.waitForSelector('#echo-result[data-state=failed]');
  assert.equal(await Ann.textContent('#echo-time'), '');
  await picture(Ann, 'outage-look');
  thin.restore();
  await connected(Ann, 'websocket');
  await Ann.waitForSelector('#members:not(.is-stale)');
  await Ann.click('#toggle');
  await Ann.waitForSelector('#status[data-state=disconnected]');
  await Ann.waitForSelector('#members.is-stale');
});
