#!/usr/bin/env bash
# cometd-nodejs-client 2.0.0, cometd 9.0.0 and cometd-nodejs-server 1.2.1 (npm): all clients of a process are tabs
# of one browser, and cookies that a server takes back stay.
#
# One would expect: two `CometD` objects in one Node.js process (say, of two users) are two clients.
# What happens: the adapter has one cookie jar for the whole process, by host name without its port. Both
# clients come with the same BAYEUX_BROWSER, so the server, with its defaults, holds a long poll for the first
# only; the second is told `multiple-clients` and an interval of 2,000 ms, and hears of messages up to 2 s late.
# The jar also ignores `Expires` and `Max-Age`: a cookie that is deleted is sent back, empty, for ever.
# For a Bayeux user: with more than one client in a Node.js process, use WebSocket, or raise
# `maxSessionsPerBrowser`.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund cometd@9.0.0 cometd-nodejs-client@2.0.0 cometd-nodejs-server@1.2.1

cat >probe.mjs <<'EOF'
import assert from 'node:assert/strict';
import {createServer} from 'node:http';
import {once} from 'node:events';
import {adapt} from 'cometd-nodejs-client';
import bayeux from 'cometd-nodejs-server';
adapt();
const {CometD} = await import('cometd');

const server = bayeux.createCometDServer({timeout: 20_000});
const cookies = [];
const http = createServer((request, response) => {
  cookies.push(request.headers.cookie);
  if (request.url === '/cometd/handshake') {
    response.setHeader('Set-Cookie', 'lang=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT');
    // The server sets one header of that name, which would take away this one.
    const set = response.setHeader.bind(response);
    response.setHeader = (name, value) =>
      name === 'Set-Cookie' ? response.appendHeader(name, value) : set(name, value);
  }
  server.handle(request, response);
}).listen(0, '127.0.0.1');
await once(http, 'listening');

/** The advice to a new client's second connect, or that it is held for a second. */
async function open() {
  const client = new CometD();
  client.unregisterTransport('websocket');
  client.configure({url: `http://127.0.0.1:${http.address().port}/cometd`, logLevel: 'warn'});
  return new Promise((done) => {
    let connects = 0;
    client.registerExtension('second', {
      outgoing({channel}) {
        if (channel === '/meta/connect' && ++connects === 2) setTimeout(() => done('held'), 1_000);
      },
    });
    client.addListener('/meta/connect', ({advice}) => connects === 2 && done(advice));
    client.handshake();
  });
}

assert.equal(await open(), 'held');
const second = await open();
assert.equal(second['multiple-clients'], true);
assert.equal(second.interval, 2000);
console.log('ok: the first is held, the second is advised', JSON.stringify(second));
const last = cookies.at(-1);
assert.match(last, /(^|; )lang=(;|$)/);
console.log('ok: the deleted cookie is sent:', last.replace(/BAYEUX_BROWSER=\w+/, 'BAYEUX_BROWSER=…'));
process.exit();
EOF
timeout 30 node probe.mjs
