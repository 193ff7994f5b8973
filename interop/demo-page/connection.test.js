// The connection bar of the demo page says the truth, and the page fits small and dark screens.

import assert from 'node:assert/strict';

import {connected, entry, join, onTheDemoPage, picture, say} from '../lib/demo-page.js';

onTheDemoPage('the page disconnects and connects at a click', async ({open}) => {
  const page = await open();
  await connected(page, 'websocket');
  await picture(page, 'first-sight');
  await page.click('#toggle');
  await page.waitForSelector('#status[data-state=disconnected]');
  assert.equal(await page.textContent('#client-id'), '');
  await picture(page, 'disconnected');
  await page.click('#toggle');
  await connected(page, 'websocket');
  assert.notEqual(await page.textContent('#client-id'), '');
  assert.deepEqual(page.complaints, []);
});

onTheDemoPage('the page survives a restart of the server, and enters its room again', async (scene) => {
  const {open, restart} = scene;
  const page = await open();
  await connected(page, 'websocket');
  await join(page, 'Ann', 'lobby');
  const old = await page.textContent('#client-id');
  await restart();
  await page.waitForFunction((id) => {
    const now = document.querySelector('#client-id').textContent;
    return now && now !== id && document.querySelector('#status').dataset.state === 'connected';
  }, old, {timeout: 30_000});
  await page.waitForSelector('#members li[data-user=Ann]');
  await say(page, 'Back again');
  await entry(page, 'chat', 'Back again').waitFor();
});

onTheDemoPage('a name and a room are asked for', async ({open}) => {
  const page = await open();
  await connected(page, 'websocket');
  await page.fill('#room', 'lobby');
  await page.click('#join');
  await page.waitForSelector('#join-error:not([hidden])');
  await page.fill('#user', 'Ann');
  await page.fill('#room', 'no/such room');
  await page.click('#join');
  await page.waitForFunction(() => /room/i.test(document.querySelector('#join-error').textContent));
  await picture(page, 'join-error');
});

for (const [name, settings] of Object.entries({
  narrow: {viewport: {width: 390, height: 844}},
  dark: {colorScheme: 'dark'},
  wide: {viewport: {width: 1920, height: 1080}},
})) {
  onTheDemoPage(`nothing sticks out of a ${name} screen`, async ({open}) => {
    const page = await open(settings);
    await connected(page, 'websocket');
    await join(page, 'Ann', 'lobby');
    await say(page, `${'A long line of many words. '.repeat(12)}${'x'.repeat(300)}`);
    await entry(page, 'chat', 'A long line').waitFor();
    const [inner, outer] = await page.evaluate(() => [
      document.documentElement.scrollWidth,
      document.documentElement.clientWidth,
    ]);
    await picture(page, `screen-${name}`);
    assert.ok(inner <= outer, `${inner} pixels wide on a screen of ${outer}`);
  });
}
