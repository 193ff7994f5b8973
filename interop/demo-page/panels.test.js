// The panels of the demo page: the echo call, the lazy channel and the live counters, over each transport.

import assert from 'node:assert/strict';

import {TRANSPORTS, choose, connected, onTheDemoPage, picture} from '../lib/demo-page.js';

for (const transport of TRANSPORTS) {
  onTheDemoPage(`the panels work over ${transport}`, async ({open}) => {
    const page = await open();
    await connected(page, 'websocket');
    if (transport !== 'websocket') await choose(page, transport);

    await page.fill('#echo-input', 'Anybody there? 😀');
    await page.click('#echo-send');
    await page.waitForSelector('#echo-result[data-state=done]');
    assert.match(await page.textContent('#echo-result'), /Anybody there\? 😀/);
    assert.match(await page.textContent('#echo-time'), /^[\d.]+ ms$/);
    await page.check('#echo-fail');
    await page.click('#echo-send');
    await page.waitForSelector('#echo-result[data-state=failed]');
    assert.match(await page.textContent('#echo-result'), /Anybody there\? 😀/);

    await page.click('#lazy-send');
    await page.waitForSelector('#lazy-log li[data-state=arrived]');
    const delay = Number.parseInt(await page.textContent('#lazy-log .delay'), 10);
    assert.ok(delay >= 0 && delay < 2_500, `${delay} ms`);

    await page.waitForFunction(() => /^\d/.test(document.querySelector('#stat-sessions').textContent));
    const trace = () => page.getAttribute('#stat-chart .trace', 'd');
    const before = await trace();
    await page.waitForFunction(
      (old) => document.querySelector('#stat-chart .trace').getAttribute('d') !== old,
      before,
    );

    const sessions = Number(await page.textContent('#stat-sessions'));
    await connected(await open(), 'websocket');
    await page.waitForFunction(
      (count) => document.querySelector('#stat-sessions').textContent === String(count),
      sessions + 1,
    );
    await picture(page, `panels-${transport}`);
    assert.deepEqual(page.complaints, []);
  });
}
