// The page of the cluster example, opened in Chromium and worked with as a person does.

import {test} from 'node:test';
import {fileURLToPath} from 'node:url';

import {oneBrowser, picture as take} from './chromium.js';
import {startProgram} from './demo.js';

const PROGRAM =
  process.env.BAYEUX_CLUSTER ?? fileURLToPath(new URL('../../target/release/cluster', import.meta.url));
export const NODES = ['A', 'B', 'C'];

const openPage = oneBrowser();

/** Saves what the page looks like, down to its end. */
export const picture = (page, name) => take(page, name, {fullPage: true});

/** Declares a test whose body gets a function that opens the page of a cluster of its own. */
export function onTheClusterPage(name, body) {
  test(name, {timeout: 120_000}, async (t) => {
    const cluster = await startProgram(PROGRAM, ['--listen', '127.0.0.1:0']);
    const pages = [];
    const open = async (settings = {}) => {
      const page = await openPage({viewport: {width: 1280, height: 860}, ...settings});
      page.setDefaultTimeout(60_000);
      pages.push(page);
      await page.goto(`${cluster.origin}/`);
      return page;
    };
    try {
      await body({open, cluster});
    } finally {
      for (const page of pages) await page.context().close();
      await cluster.stop();
      cluster.output.all.forEach((line) => t.diagnostic(`cluster: ${line}`));
    }
  });
}

/** Waits until a node sees these others, in the list of members, and is linked to them. */
export async function sees(page, node, others) {
  const card = page.locator(`.node[data-node=${node}][data-seen=live]`);
  for (const other of others) {
    await card.locator(`.members li[data-node=${other}]`).waitFor();
    await card.locator(`.links li[data-node=${other}][data-state=connected]`).waitFor();
  }
  for (const other of NODES.filter((name) => name !== node && !others.includes(name))) {
    await card.locator(`.members li[data-node=${other}]`).waitFor({state: 'detached'});
  }
}

/** Waits until all nodes have joined each other. */
export async function allJoined(page) {
  for (const node of NODES) await sees(page, node, NODES.filter((name) => name !== node));
}

/** The row of a node's map that has an entry of `owner`. */
export const row = (page, node, owner, key) =>
  page.locator(`.node[data-node=${node}][data-seen=live] .map tr[data-owner=${owner}][data-key="${key}"]`);

/** Waits until a node has this entry of `owner`. */
export const has = (page, node, owner, key, value) =>
  row(page, node, owner, key).locator('.value', {hasText: value}).waitFor();

/** Puts an entry into a node's part of the map. */
export async function put(page, node, key, value) {
  const form = page.locator(`.node[data-node=${node}] form`);
  await form.locator('.key').fill(key);
  await form.locator('.value').fill(value);
  await form.locator('.put').click();
}

/** Presses one of a node's buttons. */
export const press = (page, node, button) => page.click(`.node[data-node=${node}] .${button}`);
