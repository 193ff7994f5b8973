// What people are told when the connection is bad: nothing is lost unnoticed, and nothing is said to be lost that is not.

import assert from 'node:assert/strict';
import {once} from 'node:events';
import net from 'node:net';

import {connected, entry, join, members, onTheDemoPage, picture, say} from '../lib/demo-page.js';

/** A way to the demo on which everything can be held up for a while; it arrives later or, if the way breaks, never. */
async function openSlowLink(port, atEnd) {
  const held = [];
  const sockets = new Set();
  let isHeld = false;
  const pass = (action) => (isHeld ? held.push(action) : action());
  const carry = (from, to) => {
    sockets.add(from);
    from.on('data', (bytes) => pass(() => to.write(bytes)));
    from.on('close', () => {
      sockets.delete(from);
      pass(() => to.destroy());
    });
    from.on('error', () => {});
  };
  const listener = net.createServer((client) => {
    const server = net.connect(port, '127.0.0.1');
    carry(client, server);
    carry(server, client);
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  atEnd(() => {
    sockets.forEach((socket) => socket.destroy());
    listener.close();
  });
  return {
    origin: `http://127.0.0.1:${listener.address().port}`,
    hold: () => (isHeld = true),
    release() {
      isHeld = false;
      held.splice(0).forEach((action) => action());
    },
    lose() {
      isHeld = false;
      held.length = 0;
      sockets.forEach((socket) => socket.destroy());
    },
  };
}

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

onTheDemoPage('what was sent into a link that breaks comes again, in the same session', async ({open, demo, atEnd}) => {
  const slow = await openSlowLink(demo.port, atEnd);
  const Ann = await enter(open, slow.origin, 'Ann');
  const Bob = await enter(open, demo.origin, 'Bob');
  await Ann.waitForSelector('#members li[data-user=Bob]');
  slow.hold();
  await say(Bob, 'While you were away');
  await entry(Bob, 'chat', 'While you were away').waitFor();
  slow.lose();
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

onTheDemoPage('what is late is not said to be lost', async ({open, demo, atEnd}) => {
  const slow = await openSlowLink(demo.port, atEnd);
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

onTheDemoPage('a link that died unnoticed is noticed when the page is looked at', async ({open, demo, atEnd}) => {
  const slow = await openSlowLink(demo.port, atEnd);
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
