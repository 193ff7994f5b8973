// Starts and steers the nodes of a cloud: programs that are asked and that answer and tell in lines of JSON.

import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {createInterface} from 'node:readline';
import {fileURLToPath} from 'node:url';

import {Inbox, within} from './wait.js';

/** A node may be busy for long on a machine that has much to do. */
export const LONG = 60_000;

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const PROGRAMS = {
  java: process.env.BAYEUX_OORT_JAVA ?? path('../servers/oort-java'),
  rust: process.env.BAYEUX_NODE ?? path('../../target/release/node'),
};

const running = new Set();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));
process.once('SIGTERM', () => process.exit(1));

/**
 * Starts a node of `kind`, which is `java` or `rust`, with options that are the program's own, and waits until it
 * serves. `prefix` is a command that runs it, such as `["ip", "netns", "exec", "ns1"]`.
 */
export async function startNode(kind, options = {}, prefix = []) {
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const [program, ...rest] = [...prefix, PROGRAMS[kind], ...args];
  const node = new Node(kind, spawn(program, rest, {stdio: ['pipe', 'pipe', 'pipe']}));
  const first = await node.events.find(({event}) => event === 'listening' || event === 'exited', 'its start', LONG);
  if (first.event === 'exited') throw new Error(`${kind} did not start:\n${node.log.join('\n')}`);
  return Object.assign(node, {url: first.url, comet: first.comet, port: Number(new URL(first.url).port)});
}

class Node {
  log = [];
  #child;
  #exited;
  #asked = new Map();
  #ids = 0;

  constructor(kind, child) {
    this.kind = kind;
    this.events = new Inbox(`the events of ${kind}`);
    this.#child = child;
    running.add(child);
    this.#exited = once(child, 'exit').catch((error) => [error.message]).then(([how, signal]) => {
      running.delete(child);
      this.events.push({event: 'exited', how: signal ?? how});
      for (const {reject} of this.#asked.values()) reject(new Error(`${kind} exited`));
    });
    child.stdin.on('error', () => {});
    createInterface({input: child.stdout}).on('line', (line) => this.#read(line));
    createInterface({input: child.stderr}).on('line', (line) => this.log.push(line));
  }

  get pid() {
    return this.#child.pid;
  }

  /** What the node answers when it is asked to do `what`, or its error. */
  async ask(what, fields = {}) {
    const id = ++this.#ids;
    const answer = new Promise((resolve, reject) => this.#asked.set(id, {resolve, reject}));
    this.#child.stdin.write(`${JSON.stringify({id, do: what, ...fields})}\n`);
    return within(answer, () => `the answer of ${this.kind} to ${what} ${JSON.stringify(fields)}`, LONG);
  }

  /** Waits until the node says that `other` has joined. */
  async joined(other) {
    await this.until('comets', (comets) => comets.some(({comet}) => comet === other.comet), `${other.url} joined`);
  }

  /** Waits until the node says that `other` is not there. */
  async left(other) {
    await this.until('comets', (comets) => !comets.some(({comet}) => comet === other.comet), `${other.url} left`);
  }

  /** Asks for `what` until the answer `holds`, and returns it. */
  async until(what, holds, wanted, fields = {}) {
    const deadline = Date.now() + LONG;
    for (;;) {
      const answer = await this.ask(what, fields);
      if (holds(answer)) return answer;
      if (Date.now() > deadline) {
        throw new Error(`${wanted}: ${this.kind} at ${this.url} has as ${what}: ${JSON.stringify(answer)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** The events of these names so far. */
  told(...names) {
    return this.events.all.filter(({event}) => names.includes(event));
  }

  /** Kills the node, which says no word to the others. */
  async kill() {
    await this.#end(() => this.#child.kill('SIGKILL'));
  }

  /** Freezes it: its connections stay open, and it says nothing. */
  freeze() {
    this.#child.kill('SIGSTOP');
  }

  /** Ends {@link freeze}. */
  thaw() {
    this.#child.kill('SIGCONT');
  }

  async #end(how) {
    if (!running.has(this.#child)) return;
    how();
    await within(this.#exited, `the exit of ${this.kind}`);
  }

  #read(line) {
    let told;
    try {
      told = JSON.parse(line);
    } catch {
      this.log.push(line);
      return;
    }
    const asked = this.#asked.get(told.id);
    if (told.event) {
      this.events.push(told);
    } else if (asked) {
      this.#asked.delete(told.id);
      if ('error' in told) asked.reject(new Error(told.error));
      else asked.resolve(told.result);
    }
  }
}
