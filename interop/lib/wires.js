// What the tests with a network of their own have in common.

import assert from 'node:assert/strict';

import {agree, mesh, subscribe, toldOf} from './cloud.js';

/** Begins the nodes, and has each put what it has. */
export async function begun({begin}) {
  const nodes = await begin();
  await mesh(nodes);
  await subscribe(nodes, '/chat');
  await share(nodes, 0);
  return nodes;
}

/** Puts what each node has for this round, and waits until all have all of it. */
export async function share(nodes, round) {
  for (const node of nodes) await node.ask('put', {key: 'round', value: round});
  await agree(nodes, 'map', Object.fromEntries(nodes.map(({url}) => [url, {round}])));
}

/** Waits until `node` has none of `others`, and the other way round. */
export async function parted(node, others) {
  await Promise.all(others.flatMap((other) => [node.left(other), other.left(node)]));
}

/** Of one life of `other`, `node` is told alternately that it joined and left. */
export function alternate(node, other) {
  const told = toldOf(node, other, 'joined', 'left').map(({event}) => event);
  assert.deepEqual(told, told.map((_, index) => (index % 2 ? 'left' : 'joined')));
}
