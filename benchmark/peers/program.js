// What the servers under Node.js have in common: their options, where they listen, and when they end.

import {createServer} from 'node:http';
import {createRequire} from 'node:module';
import {parseArgs} from 'node:util';

const {values} = parseArgs({
  options: {
    timeout: {type: 'string', default: '20000'},
    'max-interval': {type: 'string', default: '60000'},
  },
});

export const timeout = Number(values.timeout);
export const maxInterval = Number(values['max-interval']);

/** Loads a package that is installed for the interoperability suites. */
export const interop = createRequire(new URL('../../interop/package.json', import.meta.url));

/** An HTTP server that has nothing but what is attached to it or handles its requests. */
export const http = createServer();

/** Listens at any free port, says so, and ends when standard input ends. */
export function listen() {
  http.listen({port: 0, host: '127.0.0.1', backlog: 2_048}, () => {
    process.stdout.write(`listening at http://127.0.0.1:${http.address().port}/cometd\n`);
  });
  process.stdin.on('end', () => process.exit()).resume();
}
