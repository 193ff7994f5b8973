// Tests with nodes of a cloud, ours and CometD's for Java, which are ended after each.

import assert from 'node:assert/strict';
import {test} from 'node:test';

import {openNetwork} from './network.js';
import {LONG, startNode} from './oort.js';

/** What all nodes know and enforce, if anything. */
export const SECRET = process.env.SECRET;

/** Nodes of whom none is missed because the machine is busy. */
export const PATIENT = {timeout: 10_000, 'max-interval': 10_000};

/** Nodes of whom a lost one is missed soon. */
export const SHORT = {timeout: 2_000, 'max-interval': 5_000};

/**
 * Which nodes there are, in the order in which they start. Those of Java alone are there to show whether what is
 * expected is what CometD does; CASTS names others, such as `rust,rust,rust java,rust,java`.
 */
const CASTS = readCasts(process.env.CASTS ?? 'java,java,rust rust,java,java java,java,java');

/** Reads casts, of which `CASTS` in the environment has others. */
export function readCasts(text) {
  return text.split(' ').map((cast) => cast.split(','));
}

/**
 * Declares a test for each cast. Its body gets the nodes, the full mesh of which has been seen by all, what
 * starts others, and what declares a part of the test. Each node but the first was told of the first alone.
 */
export function inClouds(name, body, {options = PATIENT, casts = CASTS, timeout = 300_000} = {}) {
  for (const cast of casts) {
    test(`${name}, with ${cast.join(', ')}`, {timeout}, async (t) => {
      await play(t, cast, options, async (start) => {
        const nodes = [];
        for (const kind of cast) nodes.push(await start(kind, nodes.length ? {cloud: nodes[0].url} : {}));
        await mesh(nodes);
        await body({nodes, start, cast, step: stepper(t)});
      });
    });
  }
}

/** As {@link inClouds}, with each node at a `place` of its own in a network. */
export function inNetworks(name, body, {options = {}, casts = CASTS, timeout = 300_000} = {}) {
  for (const cast of casts) {
    test(`${name}, with ${cast.join(', ')}`, {timeout}, async (t) => {
      const network = openNetwork(cast.length);
      try {
        await play(t, cast, options, async (start) => {
          const urls = network.places.map(({address}) => `http://${address}:8080/cometd`);
          const begin = async (kind, index) => {
            const place = network.places[index];
            const cloud = urls.filter((_, other) => other !== index).join(',');
            const node = await start(kind, {host: place.address, port: 8080, cloud}, place.prefix);
            return Object.assign(node, {place});
          };
          await body({network, begin: () => Promise.all(cast.map(begin)), step: stepper(t), note: (text) => t.diagnostic(text)});
        });
      } finally {
        network.close();
      }
    });
  }
}

async function play(t, cast, options, act) {
  const all = [];
  const start = async (kind, more = {}, prefix) => {
    const secret = SECRET ? {secret: SECRET} : {};
    const node = await startNode(kind, {...secret, ...options, ...more}, prefix);
    all.push(node);
    return node;
  };
  let failed = true;
  try {
    await act(start);
    failed = false;
  } finally {
    for (const node of all) {
      await node.kill();
      if (failed) diagnose(t, node);
    }
  }
}

/** What declares a part of a test; after one that fails the test goes no further. */
const stepper = (t) => async (what, act) => {
  let passed = false;
  await t.test(what, async () => {
    await act();
    passed = true;
  });
  assert.ok(passed, what);
};

/** Of each kind of node the last one. */
export function oneOfEachKind(nodes) {
  return [...new Map(nodes.map((node) => [node.kind, node])).values()];
}

/** Waits until each of `nodes` has all others. */
export async function mesh(nodes) {
  for (const node of nodes) {
    for (const other of nodes) if (other !== node) await node.joined(other);
  }
}

/** Starts another one in the place of `node`, which was killed: the same kind, at the same address. */
export async function startAgain(start, node, cloud) {
  return start(node.kind, {port: node.port, cloud: cloud.map(({url}) => url).join(',')});
}

/** Has each node tell what is published on `channel`, which all observe, by any of them from now on. */
export async function subscribe(nodes, channel) {
  for (const node of nodes) await node.ask('subscribe', {channel});
  await fence(nodes, channel.replace(/\*+$/, 'fence'));
}

/**
 * Waits until what each node publishes on `channel` arrives at each. What it published before has arrived by then:
 * messages of one node come in their order.
 */
export async function fence(nodes, channel) {
  const waiting = new Set(nodes.flatMap((from) => nodes.map((to) => `${from.url} ${to.url}`)));
  const fenceId = `fence ${Math.random()}`;
  const deadline = Date.now() + LONG;
  // Of a node that has just joined, observations may be under way: what is published before is not for it.
  while (waiting.size) {
    for (const from of nodes) await from.ask('publish', {channel, data: {fence: fenceId, from: from.url}});
    await new Promise((resolve) => setTimeout(resolve, 100));
    for (const to of nodes) {
      for (const {data} of to.told('message')) {
        if (data?.fence === fenceId) waiting.delete(`${data.from} ${to.url}`);
      }
    }
    if (Date.now() > deadline) throw new Error(`not heard on ${channel}: ${[...waiting].join(', ')}`);
  }
}

/** What `node` heard on `channel`, without fences. */
export function heard(node, channel) {
  return node
    .told('message')
    .filter((message) => message.channel === channel && message.data?.fence === undefined)
    .map(({data}) => data);
}

/** Publishes `count` messages from each node and has each of them heard once, in its publisher's order, by all. */
export async function exchange(nodes, channel, count) {
  const run = `run ${Math.random()}`;
  await Promise.all(
    nodes.map(async (node) => {
      for (let n = 0; n < count; n++) await node.ask('publish', {channel, data: {run, from: node.url, n}});
    }),
  );
  await fence(nodes, channel);
  const wanted = Array.from({length: count}, (_, n) => n);
  for (const to of nodes) {
    for (const from of nodes) {
      const messages = heard(to, channel).filter((data) => data.run === run && data.from === from.url);
      const came = messages.map(({n}) => n);
      assert.deepEqual(came, wanted, `from ${from.kind} at ${from.url} to ${to.kind} at ${to.url}`);
    }
  }
}

/** Waits until each of `nodes` answers `what` with `wanted`, as what `read` makes of the answer. */
export async function agree(nodes, what, wanted, read = (answer) => answer) {
  for (const node of nodes) {
    const equal = (answer) => {
      try {
        assert.deepStrictEqual(read(answer), wanted);
        return true;
      } catch {
        return false;
      }
    };
    await node.until(what, equal, `${what} is ${JSON.stringify(wanted)}`);
  }
}

/** The events of these names that `node` told of `other`. */
export function toldOf(node, other, ...names) {
  return node.told(...names).filter(({comet}) => comet === other.comet);
}

function diagnose(t, node) {
  t.diagnostic(`${node.kind} at ${node.url}:`);
  for (const event of node.events.all.slice(-60)) t.diagnostic(`  ${JSON.stringify(event)}`);
  for (const line of node.log.slice(-60)) t.diagnostic(`  ${line}`);
}
