// A page that is reloaded, with the reload and ack extensions, keeps its session and every message.

import assert from 'node:assert/strict';

import {inTheBrowser, received} from '../lib/browser.js';
import {Client} from '../lib/cometd.js';

const ROUND = 10;
const RELOADS = 3;

async function reloadAmidMessages(scene) {
  const {openPage, url, transport, server, demo, atEnd} = scene;
  const publisher = new Client(`${demo.origin}/cometd`, 'websocket');
  atEnd(() => publisher.abandon());
  await publisher.connect();
  let sent = 0;
  const publish = async () => {
    for (let n = 0; n < ROUND; n++) await publisher.publish('/numbers', sent++);
  };

  const start = ([to, type]) =>
    window.interop.connect(to, type, {ack: true, reload: true, channels: ['/numbers']});
  const page = await openPage();
  const first = await page.evaluate(start, [url, transport]);
  assert.equal(first.ext?.ack, true, JSON.stringify(first));
  await page.waitForFunction(() => window.interop.connects.some((m) => m.successful));

  for (let reload = 1; reload <= RELOADS; reload++) {
    await publish();
    await received(page, sent);
    await page.waitForFunction(() => window.interop.settled());

    // While the new document is on its way the old one is deaf, but for the scripts of callback-polling:
    // the library cannot abort those, and the old document would still take what they bring.
    if (transport !== 'callback-polling') server.beforePage = publish;
    await page.reload();
    server.beforePage = async () => {};
    await page.waitForFunction(() => window.interop);
    await publish();

    const again = await page.evaluate(start, [url, transport]);
    assert.equal(again.ext?.reload, true, JSON.stringify(again));
    await publish();
    await received(page, sent);
  }

  const numbers = (await received(page, sent)).map(({data}) => data);
  assert.deepEqual(numbers, Array.from({length: sent}, (_, n) => n));
  assert.equal(await page.evaluate(() => window.interop.clientId()), first.clientId);
  assert.equal(await page.evaluate(() => window.interop.handshakes.length), 1);
  assert.deepEqual(page.complaints, []);
}

// Connects are held for a short while only, so that acknowledgements are soon answered.
inTheBrowser('a reloaded page loses and doubles nothing', reloadAmidMessages, {timeout: 300});
