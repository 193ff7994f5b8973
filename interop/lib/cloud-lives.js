// What the tests in which nodes are lost have in common: each node has its number of lives in each object.

import assert from 'node:assert/strict';

import {agree, exchange, mesh, startAgain, subscribe} from './cloud.js';

/** What each has in the map. */
export const parts = (nodes) => Object.fromEntries(nodes.map(({url, life = 1}) => [url, {life}]));

/** Has each node put how many lives it had. */
async function fill(nodes) {
  for (const node of nodes) {
    node.life ??= 1;
    await node.ask('put', {key: 'life', value: node.life});
    await node.ask('add', {elements: [node.life]});
    await node.ask('count', {by: node.life});
  }
}

/** Waits until all have what each has. */
export async function equal(nodes) {
  await agree(nodes, 'map', parts(nodes));
  const lists = Object.fromEntries(nodes.map(({url, life}) => [url, [life]]));
  // What a Java node adds while another Java node joins that may have twice: with the whole list, and as a change.
  const java = nodes.filter(({kind}) => kind === 'java');
  const isOfJava = (url) => java.some((node) => node.url === url);
  const once = ([url, list]) => [url, isOfJava(url) ? [...new Set(list)] : list];
  await agree(nodes.filter((node) => !java.includes(node)), 'list', lists);
  await agree(java, 'list', lists, (answer) => Object.fromEntries(Object.entries(answer).map(once)));
  await agree(nodes, 'sum', nodes.reduce((sum, {life}) => sum + life, 0));
}

/** Begins what each has, and its hearing `/chat`. */
export async function begin(nodes) {
  await subscribe(nodes, '/chat');
  await fill(nodes);
  await equal(nodes);
}

/** Takes what is told until now, and returns what each of `nodes` is told of the node at `url` from now on. */
export function telling(nodes, url) {
  const told = (node) => node.told('joined', 'left').filter((event) => event.url === url);
  const before = new Map(nodes.map((node) => [node, told(node).length]));
  return (node) => told(node).slice(before.get(node)).map(({event, comet}) => [event, comet]);
}

/** Starts `victim` again, which has been killed, and returns all nodes when they are what they were before. */
export async function revive(nodes, victim, start) {
  const others = nodes.filter((node) => node !== victim);
  const again = await startAgain(start, victim, others);
  again.life = victim.life + 1;
  assert.equal(again.url, victim.url);
  assert.notEqual(again.comet, victim.comet);
  const now = nodes.map((node) => (node === victim ? again : node));
  await mesh(now);
  await fill([again]);
  await equal(now);
  await again.ask('subscribe', {channel: '/chat'});
  await exchange(now, '/chat', 20);
  return now;
}
