// Starts and stops the server under test: one demo process, on a free port of its own; and other programs
// that say where they listen.

import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {fileURLToPath} from 'node:url';
import {createInterface} from 'node:readline';

import {Inbox, within} from './wait.js';

const PROGRAM =
  process.env.BAYEUX_DEMO ?? fileURLToPath(new URL('../../target/release/demo', import.meta.url));

const running = new Set();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));
process.once('SIGTERM', () => process.exit(1));

/** A demo that is stopped has no more time than this for clients that have gone without a word. */
const QUICK = {drainSpread: 0, drainInterval: 200, drainTimeout: 1_000};

/**
 * Starts the demo with CometD's `options`, beside which it stops quickly, and with other `args`, and waits until
 * it listens.
 */
export function startDemo({options = {}, port = 0, args = []} = {}) {
  const all = ['--listen', `127.0.0.1:${port}`, ...args];
  for (const [name, value] of Object.entries({...QUICK, ...options})) all.push('-o', `${name}=${value}`);
  return startProgram(PROGRAM, all);
}

/** Starts a program that prints its address when it listens, and waits until it does. */
export async function startProgram(program, args) {
  const child = spawn(program, args, {stdio: ['ignore', 'pipe', 'pipe']});
  running.add(child);
  // What it logs may have addresses of others.
  const [output, said] = [new Inbox(`the output of ${program}`), new Inbox(`what ${program} says`)];
  const ended = (how) => {
    running.delete(child);
    for (const inbox of [output, said]) inbox.push(`exited: ${how}`);
  };
  const exited = once(child, 'exit').then(
    ([code, signal]) => ended(signal ?? code),
    (error) => ended(error.message),
  );
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({input: stream}).on('line', (line) => {
      output.push(line);
      if (stream === child.stdout) said.push(line);
    });
  }

  const line = await said.find(
    (text) => /https?:\/\/[^\s/]+/.test(text) || text.startsWith('exited:'),
    'the address',
  );
  const origin = line.match(/https?:\/\/[^\s/]+/)?.[0];
  if (!origin) throw new Error(`${program} did not start:\n${output.all.join('\n')}`);

  return {
    origin,
    port: Number(new URL(origin).port),
    bayeux: `${origin}/cometd`,
    output,
    signal: (signal) => child.kill(signal),
    /** Asks it to stop, and fails if it does not; how it ended is in its output. */
    async stop(signal = 'SIGTERM') {
      if (!running.has(child)) return;
      child.kill(signal);
      await within(exited, `the exit of ${program} after ${signal}`).catch((error) => {
        child.kill('SIGKILL');
        throw error;
      });
    },
  };
}
