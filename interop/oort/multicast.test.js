// Nodes that know of none find each other by multicast.

import {exchange, inClouds, mesh, subscribe} from '../lib/cloud.js';

const multicast = `239.255.0.1:${20_000 + (process.pid % 10_000)}`;

inClouds('nodes find each other', async ({start, cast}) => {
  const nodes = [];
  for (const kind of cast) nodes.push(await start(kind, {multicast}));
  await mesh(nodes);
  await subscribe(nodes, '/chat');
  await exchange(nodes, '/chat', 10);
});
