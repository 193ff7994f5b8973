// A network of the machine's own: each node has a namespace with an address, from which a wire leads to one switch.
// Nothing of it is in the namespace that the machine lives in.

import {execFileSync, spawn} from 'node:child_process';
import {once} from 'node:events';
import {fileURLToPath} from 'node:url';

import {within} from './wait.js';

const DELAY = fileURLToPath(new URL('delay.py', import.meta.url));
/** An address that no device has. */
const NOBODY = '02:00:00:00:00:fe';

let networks = 0;
const open = new Set();
process.on('exit', () => open.forEach((network) => network.close()));

/** Makes a network with a place for each of `count` nodes. */
export function openNetwork(count) {
  const network = new Network(count);
  open.add(network);
  return network;
}

class Network {
  #name = `bayeux-${process.pid}-${++networks}`;
  #places = [];
  #delays = [];

  constructor(count) {
    const hub = `${this.#name}-hub`;
    ip('netns', 'add', hub);
    try {
      this.#hub('link', 'add', 'switch', 'type', 'bridge');
      this.#hub('link', 'set', 'switch', 'up');
      for (let n = 1; n <= count; n++) this.#add(n);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  #add(n) {
    const space = `${this.#name}-${n}`;
    const mac = `02:00:00:00:00:0${n}`;
    const address = `10.99.0.${n}`;
    ip('netns', 'add', space);
    this.#places.push({space, mac, address, wire: `wire${n}`, prefix: ['ip', 'netns', 'exec', space]});
    ip('-n', space, 'link', 'set', 'lo', 'up');
    this.#hub('link', 'add', `wire${n}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', space);
    ip('-n', space, 'link', 'set', 'eth0', 'address', mac);
    ip('-n', space, 'address', 'add', `${address}/24`, 'dev', 'eth0');
    ip('-n', space, 'link', 'set', 'eth0', 'up');
    this.#hub('link', 'set', `wire${n}`, 'master', 'switch', 'up');
  }

  /** The places of the nodes: each with its address, and what a command begins with to run there. */
  get places() {
    return this.#places;
  }

  /** Cuts the wire of a place: nothing comes and goes, and nobody is told. */
  cut(place) {
    this.#hub('link', 'set', place.wire, 'nomaster');
  }

  /** Puts the wire back. */
  heal(place) {
    this.#hub('link', 'set', place.wire, 'master', 'switch');
  }

  /** Pulls the plug, so that the device itself knows that there is no wire. */
  unplug(place) {
    this.#hub('link', 'set', place.wire, 'down');
  }

  /** Puts the plug in again. */
  plug(place) {
    this.#hub('link', 'set', place.wire, 'up');
  }

  /** Has what `from` sends to `to` get nowhere, while all else arrives. */
  block(from, to) {
    ip('-n', from.space, 'neighbor', 'replace', to.address, 'lladdr', NOBODY, 'dev', 'eth0', 'nud', 'permanent');
  }

  /** Ends {@link block}. */
  unblock(from, to) {
    ip('-n', from.space, 'neighbor', 'replace', to.address, 'lladdr', to.mac, 'dev', 'eth0', 'nud', 'permanent');
  }

  /** Has all that comes to and goes from a place take so many milliseconds on the wire, more or less. */
  async delay(place, milliseconds, jitter) {
    const n = this.#places.indexOf(place) + 1;
    const [near, far] = [`near${n}`, `far${n}`];
    const args = ['netns', 'exec', `${this.#name}-hub`, 'python3', DELAY, near, far, milliseconds, jitter];
    const child = spawn('ip', args.map(String), {stdio: ['ignore', 'pipe', 'inherit']});
    this.#delays.push(child);
    const [line] = await within(once(child.stdout, 'data'), 'the delaying wire');
    if (!String(line).startsWith('READY')) throw new Error(`the delaying wire said ${line}`);
    this.#hub('link', 'add', `joint${n}`, 'type', 'bridge');
    this.#hub('link', 'set', `joint${n}`, 'up');
    this.#hub('link', 'set', place.wire, 'master', `joint${n}`);
    this.#hub('link', 'set', near, 'master', `joint${n}`, 'up');
    this.#hub('link', 'set', far, 'master', 'switch', 'up');
  }

  /** Removes all of it. What runs there must have ended. */
  close() {
    open.delete(this);
    for (const child of this.#delays) child.kill('SIGKILL');
    for (const {space} of this.#places) quietly('netns', 'delete', space);
    quietly('netns', 'delete', `${this.#name}-hub`);
  }

  #hub(...args) {
    ip('-n', `${this.#name}-hub`, ...args);
  }
}

function ip(...args) {
  execFileSync('ip', args, {stdio: ['ignore', 'ignore', 'pipe']});
}

function quietly(...args) {
  try {
    ip(...args);
  } catch {
    // It is gone.
  }
}
