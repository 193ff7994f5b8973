// The door: it says what becomes of nodes and of orders, and leads to the rooms from wherever one comes.

import assert from 'node:assert/strict';
import {once} from 'node:events';
import net from 'node:net';
import {networkInterfaces} from 'node:os';
import {test} from 'node:test';

import {NODES, PROGRAM, isUp, kill, oneAuction, start} from '../lib/auction-page.js';
import {oneBrowser} from '../lib/chromium.js';
import {startProgram} from '../lib/demo.js';

const atTheAuction = oneAuction();
const openPage = oneBrowser();

atTheAuction('a node that cannot start has failed, says why, and can be started again', async ({door, urlOf}) => {
  const {port} = new URL(await urlOf('C'));
  await kill(door, 'C');
  const taker = net.createServer((socket) => socket.destroy()).listen(Number(port), '127.0.0.1');
  await once(taker, 'listening');
  await door.click('.place[data-node=C] .start');
  const place = door.locator('.place[data-node=C][data-state=failed]');
  await place.waitFor();
  assert.match(await place.locator('.state').textContent(), /, has failed$/);
  assert.match(await place.locator('.reason').textContent(), /^Cannot listen on .*\.$/);
  assert.ok(await place.locator('.kill').isHidden());
  taker.close();
  await once(taker, 'close');
  await start(door, 'C');
  await door.locator('.place[data-node=C] .reason').waitFor({state: 'hidden'});
});

test('the door leads to the rooms from another address, and takes no order when its keeper has gone', {timeout: 120_000}, async (t) => {
  const addresses = Object.values(networkInterfaces()).flat();
  const outer = addresses.find(({family, internal}) => family === 'IPv4' && !internal);
  if (!outer) return t.skip('the machine has no other address');
  const auction = await startProgram(PROGRAM, ['--listen', '0.0.0.0:0']);
  const page = await openPage();
  page.setDefaultTimeout(60_000);
  try {
    await page.goto(`http://${outer.address}:${auction.port}/`);
    for (const node of NODES) await isUp(page, node);
    for (const link of await page.locator('.enter').all()) {
      assert.equal(new URL(await link.getAttribute('href')).hostname, outer.address);
    }
    await auction.stop('SIGKILL');
    await page.waitForSelector('#status[data-state=reconnecting]');
    await page.waitForFunction(() => [...document.querySelectorAll('.kill')].every((button) => button.disabled));
    assert.match(await page.textContent('#status-reason'), /^The (program that keeps the nodes|connection) [a-z ]+\./);
  } finally {
    await page.context().close();
    await auction.stop('SIGKILL');
  }
});
