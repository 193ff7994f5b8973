// What the servers under Node.js have in common: their options, where they listen, and when they end.

import {createServer} from 'node:http';
import {parseArgs} from 'node:util';

const number = (value) => ({type: 'string', default: String(value)});
const {values} = parseArgs({
  options: {port: number(0), timeout: number(2_000), 'max-interval': number(5_000)},
});

export const timeout = Number(values.timeout);
export const maxInterval = Number(values['max-interval']);

/** An HTTP server that has nothing but what is attached to it or handles its requests. */
export const http = createServer();

/** Listens, says so, and ends with whoever started the program, even if that one was killed. */
export function listen() {
  http.listen(Number(values.port), '127.0.0.1', () => {
    process.stdout.write(`LISTENING ${http.address().port}\n`);
  });
  process.stdin.on('end', () => process.exit()).resume();
}
