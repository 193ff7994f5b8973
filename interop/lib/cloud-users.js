// What the tests of users have in common: where each is, and what was told of whom.

import {LONG} from './oort.js';
import {logIn} from './user.js';

/** Waits until each of `nodes` has `user` on as many own sessions and other nodes as `wanted(node)` says. */
export async function located(nodes, user, wanted) {
  for (const node of nodes) {
    const {sessions, nodes: others} = wanted(node);
    const holds = (where) => where.sessions === sessions && where.nodes === others;
    await node.until('where', holds, `${user} on ${sessions} sessions and ${others} nodes`, {user});
  }
}

/** Whether `node` was told that `user` was added to the node at `url`, and removed, in their order. */
export function toldOfUser(node, user, url) {
  const told = node.told('user-added', 'user-removed').filter((event) => event.user === user && event.node === url);
  return told.map(({event}) => event.replace('user-', ''));
}

/** Waits until all nodes have told what they know: what one says of its users comes, and is told, in its order. */
export async function allTold(nodes) {
  const fence = `fence ${Math.random()}`;
  const deadline = Date.now() + LONG;
  for (const from of nodes) {
    const client = await logIn(from, fence);
    await client.close();
    for (const node of nodes) {
      // Of what was told there may be very much, which is not to be looked through with each line of it.
      while (toldOfUser(node, fence, from.url).length < 2) {
        if (Date.now() > deadline) throw new Error(`${node.kind} does not tell of ${from.kind} at ${from.url}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }
}
