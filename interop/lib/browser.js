// Scenarios in a browser: each over every transport, on the page's own origin and across origins.

import {oneBrowser} from './chromium.js';
import {servePage} from './page-server.js';
import {scenario} from './scenario.js';

export const TRANSPORTS = ['websocket', 'long-polling', 'callback-polling'];

const open = oneBrowser();

/** Declares scenarios whose body gets the Bayeux URL, the page's server, and a function that opens pages. */
export function inTheBrowser(name, body, options = {}) {
  for (const transport of TRANSPORTS) {
    for (const where of ['same origin', 'cross origin']) {
      const run = async (scene) => {
        const server = await servePage(scene.demo.port);
        scene.atEnd(() => server.close());
        const origin = where === 'same origin' ? server.origin : scene.demo.origin;

        const openPage = async () => {
          const page = await open();
          scene.atEnd(() => page.context().close());
          await page.goto(server.origin);
          await page.waitForFunction(() => window.interop);
          return page;
        };
        await body({...scene, transport, server, url: `${origin}/cometd`, openPage});
      };
      scenario(`${name}, over ${transport}, ${where}`, run, {options});
    }
  }
}

/** Waits until the page has received `count` messages, and gives them. */
export async function received(page, count) {
  await page.waitForFunction((n) => window.interop.received().length >= n, count);
  return page.evaluate(() => window.interop.received());
}
