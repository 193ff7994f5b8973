// Headless Chromium, and pages in it that report what went wrong inside them.

import {existsSync} from 'node:fs';
import {mkdir} from 'node:fs/promises';
import {after, before} from 'node:test';
import {fileURLToPath} from 'node:url';

import {chromium} from 'playwright-core';

export const EXECUTABLE = process.env.CHROMIUM ?? '/usr/bin/chromium';
const OUT = fileURLToPath(new URL('../.out/', import.meta.url));

const ARGUMENTS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Starts Chromium with a profile of its own, which goes away with it. */
export function launch() {
  if (!existsSync(EXECUTABLE)) throw new Error(`no Chromium at ${EXECUTABLE}`);
  return chromium.launch({executablePath: EXECUTABLE, args: ARGUMENTS});
}

/** Starts Chromium before the tests of the file and ends it after them; returns what opens a page in it. */
export function oneBrowser() {
  let browser;
  before(async () => {
    await mkdir(OUT, {recursive: true});
    browser = await launch();
  });
  after(() => browser?.close());
  return (settings) => newPage(browser, settings);
}

/** Saves what a page looks like. */
export const picture = (page, name, options) => page.screenshot({path: `${OUT}${name}.png`, ...options});

/** A page in a new browser context; `complaints` lists its errors. */
export async function newPage(browser, settings = {}) {
  const context = await browser.newContext(settings);
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  const complaints = [];
  page.on('pageerror', (error) => complaints.push(`uncaught: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(`console: ${message.text()}`);
  });
  return Object.assign(page, {complaints});
}
