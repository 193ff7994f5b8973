// Serves the browser suite's page and the npm package `cometd`, and passes /cometd on to the demo.

import {once} from 'node:events';
import {readFile} from 'node:fs/promises';
import http from 'node:http';
import net from 'node:net';
import {fileURLToPath} from 'node:url';

const PAGE = fileURLToPath(new URL('../browser/page.html', import.meta.url));
const LIBRARY = fileURLToPath(new URL('../node_modules/cometd-9/', import.meta.url));

/**
 * Starts the server. Through its `/cometd` a page reaches the demo on its own origin; when it uses the
 * demo's address instead, it does so across origins. `beforePage` is awaited before the page is served.
 */
export async function servePage(demoPort) {
  const sockets = new Set();
  const state = {beforePage: async () => {}};

  const answer = async (request, response) => {
    const {pathname} = new URL(request.url, 'http://page');
    if (pathname === '/') {
      await state.beforePage();
      response.setHeader('Content-Type', 'text/html; charset=utf-8');
      response.end(await readFile(PAGE));
    } else if (/^\/library\/\w+\.js$/.test(pathname)) {
      response.setHeader('Content-Type', 'text/javascript');
      response.end(await readFile(LIBRARY + pathname.split('/').at(-1)));
    } else if (pathname.startsWith('/cometd')) {
      pass(request, response, demoPort);
    } else {
      response.writeHead(404).end();
    }
  };

  const server = http.createServer((request, response) => {
    answer(request, response).catch((error) => response.destroy(error));
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.on('upgrade', (request, socket, head) => upgrade(request, socket, head, demoPort));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  return Object.assign(state, {
    origin: `http://127.0.0.1:${server.address().port}`,
    async close() {
      sockets.forEach((socket) => socket.destroy());
      server.close();
      await once(server, 'close');
    },
  });
}

function pass(request, response, port) {
  const {method, url: path, headers} = request;
  const upstream = http.request({host: '127.0.0.1', port, method, path, headers}, (reply) => {
    response.writeHead(reply.statusCode, reply.rawHeaders);
    reply.pipe(response);
  });
  upstream.on('error', () => response.destroy());
  response.on('close', () => upstream.destroy());
  request.pipe(upstream);
}

function upgrade(request, socket, head, port) {
  const upstream = net.connect(port, '127.0.0.1', () => {
    const lines = [`${request.method} ${request.url} HTTP/1.1`];
    for (let i = 0; i < request.rawHeaders.length; i += 2) {
      lines.push(`${request.rawHeaders[i]}: ${request.rawHeaders[i + 1]}`);
    }
    upstream.write(`${lines.join('\r\n')}\r\n\r\n`);
    upstream.write(head);
    upstream.pipe(socket).pipe(upstream);
  });
  const end = () => {
    upstream.destroy();
    socket.destroy();
  };
  for (const side of [upstream, socket]) side.on('error', end).on('close', end);
}
