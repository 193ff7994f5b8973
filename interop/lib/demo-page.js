// The demo's own page, opened in Chromium by several users and worked with as a person does.

import {oneBrowser} from './chromium.js';
import {scenario} from './scenario.js';

export {picture} from './chromium.js';
export const TRANSPORTS = ['websocket', 'long-polling', 'callback-polling'];

const openPage = oneBrowser();

/** Declares a scenario whose body also gets a function that opens the demo's page for one more user. */
export function onTheDemoPage(name, body, settings) {
  const run = (scene) => {
    const open = async (settings = {}) => {
      const page = await openPage({viewport: {width: 1280, height: 860}, ...settings});
      scene.atEnd(() => page.context().close());
      await page.goto(`${scene.demo.origin}/`);
      return page;
    };
    return body({...scene, open});
  };
  scenario(name, run, settings);
}

/** Waits until the page says that it is connected over `transport`. */
export async function connected(page, transport) {
  await page.waitForSelector('#status[data-state=connected]');
  const label = page.locator(`#transport-${transport}`);
  if (!(await label.isChecked())) throw new Error(`${transport} is not chosen`);
}

/** Chooses a transport in the switch, and waits for the new connection. */
export async function choose(page, transport) {
  const old = await page.locator('#client-id').textContent();
  await page.locator(`label:has(#transport-${transport})`).click();
  await page.waitForFunction(
    (id) => {
      const now = document.querySelector('#client-id').textContent;
      return now && now !== id;
    },
    old,
  );
  await connected(page, transport);
}

/** Joins a room under a name. */
export async function join(page, user, room) {
  await page.fill('#user', user);
  await page.fill('#room', room);
  await page.click('#join');
  await page.waitForSelector(`#members li[data-user="${user}"]`);
}

/** Writes a message, to `peers` alone if there are any. */
export async function say(page, text, peers = []) {
  await page.fill('#private-to', peers.join(', '));
  await page.fill('#message', text);
  await page.click('#send');
}

/** The entry of the conversation that holds `text`. */
export const entry = (page, kind, text) =>
  page.locator(`#messages .entry[data-kind=${kind}]`, {hasText: text});

/** The names in the list of members. */
export const members = (page) =>
  page.locator('#members li').evaluateAll((items) => items.map((item) => item.dataset.user));
