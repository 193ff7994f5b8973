// Nodes that cannot be reached, freeze or cannot start, and a keeper that has gone: the page says what it knows.

import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {once} from 'node:events';
import net from 'node:net';
import {networkInterfaces} from 'node:os';
import {test} from 'node:test';

import {NODES, allJoined, has, onTheClusterPage, picture, press, put} from '../lib/cluster-page.js';
import {oneBrowser} from '../lib/chromium.js';
import {startProgram} from '../lib/demo.js';

const openPage = oneBrowser();

const card = (node, state) => `.node[data-node=${node}]${state}`;

/** The port of a node, as the program prints it. */
async function portOf(cluster, node) {
  const line = await cluster.output.find((text) => text.startsWith(`node ${node} on `), `where ${node} is`);
  return Number(new URL(line.split(' on ')[1]).port);
}

/** The process of a node of the cluster whose nodes are at `port`. */
function processOf(node, port) {
  const pid = execFileSync('pgrep', ['-f', `cluster node --name ${node} .*:${port}/cometd`]).toString();
  return Number(pid.split('\n')[0]);
}

// The program is told to listen everywhere, and the page comes by another address than the nodes' own.
test('the page works at an address of the machine, with nodes that listen at all', {timeout: 120_000}, async (t) => {
  const addresses = Object.values(networkInterfaces()).flat();
  const outer = addresses.find(({family, internal}) => family === 'IPv4' && !internal);
  if (!outer) return t.skip('the machine has no other address');
  const cluster = await startProgram(process.env.BAYEUX_CLUSTER, ['--listen', '0.0.0.0:0']);
  const page = await openPage({viewport: {width: 1280, height: 860}});
  page.setDefaultTimeout(60_000);
  try {
    await page.goto(`http://${outer.address}:${cluster.port}/`);
    await allJoined(page);
    for (const url of await page.locator('.node .url').allTextContents()) {
      assert.equal(url.split(':')[0], outer.address);
    }
    await put(page, 'A', 'from', 'elsewhere');
    await has(page, 'C', 'A', 'from', 'elsewhere');
    assert.deepEqual(page.complaints, []);
  } finally {
    await page.context().close();
    await cluster.stop();
  }
});

onTheClusterPage('a node that freezes is old within seconds, and live again when it goes on', async ({open, cluster}) => {
  const page = await open();
  await allJoined(page);
  const pid = processOf('C', await portOf(cluster, 'C'));
  process.kill(pid, 'SIGSTOP');
  try {
    await page.waitForSelector(card('C', '[data-seen=stale][data-state=up]'));
    await page.waitForSelector(`${card('C', '')} .reason:not([hidden])`);
    assert.match(await page.textContent(`${card('C', '')} .reason`), /does not answer/);
    assert.ok(await page.isDisabled(`${card('C', '')} .put`));
    assert.ok(await page.isEnabled(`${card('C', '')} .kill`));
    await picture(page, 'cluster-frozen');
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  await page.waitForSelector(card('C', '[data-seen=live]'));
  await page.waitForSelector(`${card('C', '')} .reason`, {state: 'hidden'});
  await allJoined(page);
});

onTheClusterPage('a node whose port was taken meanwhile has failed, and says why', async ({open, cluster}) => {
  const page = await open();
  await allJoined(page);
  const port = await portOf(cluster, 'B');
  await press(page, 'B', 'kill');
  await page.waitForSelector(card('B', '[data-state=down]'));
  const taker = net.createServer((socket) => socket.destroy()).listen(port, '127.0.0.1');
  await once(taker, 'listening');
  await press(page, 'B', 'start');
  await page.waitForSelector(card('B', '[data-state=failed]'));
  assert.match(await page.textContent(`${card('B', '')} .reason`), new RegExp(`^Cannot listen on 127.0.0.1:${port}: `));
  await page.waitForSelector('#log li[data-kind=failed]');
  assert.equal(await page.locator('#log li[data-kind=killed]').count(), 1);
  await cluster.output.find((line) => line.includes(`node B cannot listen on 127.0.0.1:${port}`), 'the reason');
  await picture(page, 'cluster-failed');
  taker.close();
  await once(taker, 'close');
  await press(page, 'B', 'start');
  await allJoined(page);
  await page.waitForSelector(`${card('B', '')} .reason`, {state: 'hidden'});
});

onTheClusterPage('nothing can be ordered when the keeper has gone', async ({open, cluster}) => {
  const page = await open();
  await allJoined(page);
  await cluster.stop('SIGINT');
  await page.waitForSelector('#status[data-state=reconnecting]');
  await page.waitForFunction(() => [...document.querySelectorAll('.kill')].every((button) => button.disabled));
  for (const node of NODES) {
    await page.waitForSelector(`${card(node, '[data-seen=stale][data-state=up]')} .reason:not([hidden])`);
    assert.match(await page.textContent(`${card(node, '')} .reason`), /^The (node|connection) [a-z ]+\./);
  }
  await picture(page, 'cluster-ended');
});

onTheClusterPage('a map of many rows says how many are below', async ({open}) => {
  const page = await open();
  await allJoined(page);
  const more = page.locator(`${card('B', '')} .more`);
  assert.ok(await more.isHidden());
  for (let n = 10; n < 24; n++) {
    await put(page, 'A', `key ${n}`, 'value');
    await has(page, 'B', 'A', `key ${n}`, 'value');
  }
  await more.waitFor();
  const hidden = Number(/\d+/.exec(await more.textContent())[0]);
  assert.ok(hidden > 0 && hidden < 17 - 8, `${hidden} of 17 rows are below`);
  await picture(page, 'cluster-many');
  await page.$eval(`${card('B', '')} .table`, (table) => table.scrollTo(0, table.scrollHeight));
  await more.waitFor({state: 'hidden'});
});
