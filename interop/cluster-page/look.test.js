// The cluster page says what is wrong, and fits small and dark screens.

import assert from 'node:assert/strict';

import {allJoined, has, onTheClusterPage, picture, put} from '../lib/cluster-page.js';

onTheClusterPage('an entry without a key, or with too long a one, is none', async ({open}) => {
  const page = await open();
  await allJoined(page);
  await put(page, 'A', '', 'no key');
  await page.$eval('.node[data-node=A] form .key', (field) => {
    field.removeAttribute('maxlength');
    field.value = 'x'.repeat(41);
  });
  await page.click('.node[data-node=A] form .put');
  await page.waitForSelector('.node[data-node=A] .failure:not([hidden])');
  assert.match(await page.textContent('.node[data-node=A] .failure'), /40 characters/);
  await put(page, 'A', 'short', 'and good');
  await has(page, 'C', 'A', 'short', 'and good');
  await page.waitForSelector('.node[data-node=A] .failure', {state: 'hidden'});
});

onTheClusterPage('every link has a delay, and is drawn', async ({open}) => {
  const page = await open();
  await allJoined(page);
  const delays = await page.locator('.links .delay').allTextContents();
  assert.equal(delays.length, 6);
  for (const delay of delays) assert.match(delay, /^[\d.]+ ms$/);
  assert.equal(await page.locator('#sky path[data-state=joined]').count(), 6);
});

for (const [name, settings] of Object.entries({
  narrow: {viewport: {width: 390, height: 844}},
  dark: {colorScheme: 'dark'},
  wide: {viewport: {width: 1920, height: 1080}},
})) {
  onTheClusterPage(`nothing sticks out of a ${name} screen`, async ({open}) => {
    const page = await open(settings);
    await allJoined(page);
    await put(page, 'A', 'k'.repeat(40), 'v'.repeat(40));
    await has(page, 'C', 'A', 'k'.repeat(40), 'v'.repeat(40));
    const [inner, outer] = await page.evaluate(() => [
      document.documentElement.scrollWidth,
      document.documentElement.clientWidth,
    ]);
    await picture(page, `cluster-${name}`);
    assert.ok(inner <= outer, `${inner} pixels wide on a screen of ${outer}`);
  });
}
