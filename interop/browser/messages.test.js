// A page handshakes, subscribes, publishes, calls, and disconnects.

import assert from 'node:assert/strict';

import {inTheBrowser, received} from '../lib/browser.js';

inTheBrowser('two pages exchange messages', async ({openPage, url, transport}) => {
  const pages = [];
  for (const name of ['left', 'right']) {
    const page = await openPage();
    const handshake = await page.evaluate(
      ([to, type]) => window.interop.connect(to, type, {channels: ['/between']}),
      [url, transport],
    );
    assert.equal(handshake.successful, true, JSON.stringify(handshake));
    await page.waitForFunction(() => window.interop.connects.some((m) => m.successful));
    pages.push({page, name});
  }
  const say = (page, data) => page.evaluate((d) => window.interop.publish('/between', d), data);
  for (const {page, name} of pages) {
    const reply = await say(page, {from: name, text: 'Grüße 😀'});
    assert.equal(reply.successful, true, JSON.stringify(reply));
  }
  for (const {page} of pages) {
    const names = (await received(page, 2)).map(({data}) => data.from);
    assert.deepEqual(names.toSorted(), ['left', 'right']);
    assert.ok((await received(page, 2)).every(({data}) => data.text === 'Grüße 😀'));
    assert.deepEqual(page.complaints, []);
  }
  const farewell = await pages[0].page.evaluate(() => window.interop.disconnect());
  assert.equal(farewell.successful, true, JSON.stringify(farewell));
});

inTheBrowser('calls and refusals have their answers', async ({openPage, url, transport}) => {
  const page = await openPage();
  await page.evaluate(([to, type]) => window.interop.connect(to, type), [url, transport]);
  const result = await page.evaluate(() => window.interop.remoteCall('rpc/echo', {n: 7}));
  assert.equal(result.successful, true);
  assert.deepEqual(result.data, {n: 7});
  const failure = await page.evaluate(() => window.interop.remoteCall('rpc/echo', {fail: 'no'}));
  assert.equal(failure.successful, false);
  assert.equal(failure.data, 'no');
  const refused = await page.evaluate(() => window.interop.subscribe('/demo/denied'));
  assert.equal(refused.error, '403:denied_by_security_policy:create_denied');
  assert.deepEqual(page.complaints, []);
});

inTheBrowser(
  'a page stays connected over many held connects',
  async ({openPage, url, transport}) => {
    const page = await openPage();
    await page.evaluate(([to, type]) => window.interop.connect(to, type), [url, transport]);
    await page.waitForFunction(() => window.interop.connects.length >= 5);
    const replies = await page.evaluate(() => window.interop.connects);
    assert.ok(replies.every(({successful}) => successful), JSON.stringify(replies));
    assert.equal(await page.evaluate(() => window.interop.handshakes.length), 1);
  },
  {timeout: 300},
);
