// Two demos that are nodes of one cluster.

import {once} from 'node:events';
import {createServer} from 'node:net';

import {startDemo} from './demo.js';

/** Two ports that were free just now: a node has to know its own before it listens. */
async function freePorts() {
  const servers = [1, 2].map(() => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}

/**
 * Starts two nodes with CometD's `options` and other `args`, on other ports if somebody else was faster. `again` starts
 * another one in the place of one that has gone.
 */
export async function startDemoNodes(atEnd, {options = {}, args = []} = {}) {
  for (let tries = 1; ; tries++) {
    const ports = await freePorts();
    const url = (port) => `http://127.0.0.1:${port}/cometd`;
    const start = async (port) => {
      const others = ports.filter((other) => other !== port).map(url).join(',');
      const cluster = ['--oort-url', url(port), '--oort-cloud', others, '--oort-secret', 'sesame'];
      const node = await startDemo({options, port, args: [...cluster, ...args]});
      atEnd(() => node.stop('SIGKILL'));
      return node;
    };
    try {
      const nodes = [await start(ports[0]), await start(ports[1])];
      return {nodes, again: ({port}) => start(port)};
    } catch (error) {
      if (tries === 5 || !/cannot listen/.test(error.message)) throw error;
    }
  }
}
