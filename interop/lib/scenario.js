// A test that has a demo of its own and closes again whatever it opened.

import {test} from 'node:test';

import {startDemo} from './demo.js';
import {openLink} from './link.js';

/**
 * Declares a test. Its body gets the demo, started with CometD's `options`, and the means to restart it,
 * to reach it over a link that can be cut, and to have something closed at the end.
 */
export function scenario(name, body, {options = {}, timeout = 60_000} = {}) {
  test(name, {timeout}, async (t) => {
    const demos = [await startDemo({options})];
    const closings = [];
    const atEnd = (close) => closings.push(close);
    const restart = async () => {
      const {port} = demos[0];
      await demos.at(-1).stop();
      demos.push(await startDemo({options, port}));
    };
    const link = async () => {
      const opened = await openLink({port: demos[0].port, host: '127.0.0.1'});
      atEnd(() => opened.close());
      return opened;
    };
    try {
      await body({demo: demos[0], restart, link, atEnd});
    } finally {
      for (const close of closings.reverse()) await close();
      for (const demo of demos) {
        // Not asked to: it would wait for clients that have gone without a word.
        await demo.stop('SIGKILL');
        demo.output.all.forEach((line) => t.diagnostic(`demo: ${line}`));
      }
    }
  });
}
