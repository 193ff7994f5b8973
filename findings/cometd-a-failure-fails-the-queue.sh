#!/usr/bin/env bash
# cometd 9.0.0 and 3.1.14 (npm) over long-polling: one request that fails takes along what waits behind it, unsent.
#
# One would expect: three publishes one after the other, of which the server refuses the first with 413 (too
# large) or 503; the others are small and arrive.
# What happens: beside the held connect there is one connection, so the second and third wait in a queue. When the
# first fails, the second is not sent but fails too ("Previous request failed"), and that fails the third.
# The very next publish is sent as if nothing had been.
# For a Bayeux user: after a failure nobody knows what arrived except by each publish's callback, and a refusal
# meant for one request costs all that was in line. A server does better to refuse *in the reply*
# (200 with `successful: false`), which fails one message only.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund cometd-9@npm:cometd@9.0.0 cometd-3@npm:cometd@3.1.14 \
  client-2@npm:cometd-nodejs-client@2.0.0 client-1@npm:cometd-nodejs-client@1.5.0

cat >probe.mjs <<'EOF'
import assert from 'node:assert/strict';
import {createServer} from 'node:http';
import {once} from 'node:events';

const load = async (name) => (await import(name)).default ?? import(name);
const [version, adapter] = process.argv[2] === '9' ? ['cometd-9', 'client-2'] : ['cometd-3', 'client-1'];
(await load(adapter)).adapt();
const {CometD} = await load(version);

const arrived = [];
const http = createServer(async (request, response) => {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += chunk;
  const [{channel, id, data, advice}] = JSON.parse(text);
  const reply = {channel, id, successful: true};
  if (channel === '/meta/handshake') {
    Object.assign(reply, {clientId: 'c1', version: '1.0', supportedConnectionTypes: ['long-polling']});
  } else if (channel === '/meta/connect') {
    if (advice?.timeout !== 0) return;
  } else {
    arrived.push(data);
    if (data === 'too large') return response.writeHead(413).end();
  }
  response.end(JSON.stringify([reply]));
}).listen(0, '127.0.0.1');
await once(http, 'listening');

const client = new CometD();
client.unregisterTransport('websocket');
client.configure({url: `http://127.0.0.1:${http.address().port}/cometd`, logLevel: 'warn'});
await new Promise((connected) => {
  client.addListener('/meta/connect', connected);
  client.handshake();
});
const publish = (data) => new Promise((done) => client.publish('/a', data, done));
const replies = await Promise.all([publish('too large'), publish('second'), publish('third')]);
assert.deepEqual(replies.map(({successful}) => successful), [false, false, false]);
assert.deepEqual(replies.slice(1).map(({failure}) => failure.reason), Array(2).fill('Previous request failed'));
assert.equal((await publish('fourth')).successful, true);
assert.deepEqual(arrived, ['too large', 'fourth']);
console.log(`ok: cometd ${process.argv[2]}: all three failed, the server saw ${arrived.join(' and ')} only`);
process.exit();
EOF
timeout 30 node probe.mjs 9
timeout 30 node probe.mjs 3
