#!/usr/bin/env bash
# cometd 9.0.0 and 3.1.14 (npm) over WebSocket: one reply that is late closes the connection for all.
#
# One would expect: a reply that takes longer than `maxNetworkDelay` (10 s by default) fails that message; or, since a
# remote call has a time-out of its own, say of a minute, that this one counts.
# What happens: the timer belongs to the connection. A message whose reply is late makes the library close the
# WebSocket; the held connect and every other message on their way fail with it. A remote call fails by that,
# too, whatever time it was given, if the server replies to it only when its handler is done.
# For a Bayeux user: a handler that takes ten seconds costs the session its connection, again at each try. Reply at
# once and deliver the answer later, or raise `maxNetworkDelay` in the client above the slowest handler. Over
# long-polling only the late request fails.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund cometd-9@npm:cometd@9.0.0 cometd-3@npm:cometd@3.1.14 ws@8.18.3 \
  client-2@npm:cometd-nodejs-client@2.0.0 client-1@npm:cometd-nodejs-client@1.5.0

cat >probe.mjs <<'EOF'
import assert from 'node:assert/strict';
import {once} from 'node:events';
import {WebSocketServer} from 'ws';

const load = async (name) => (await import(name)).default ?? import(name);
const [version, adapter] = process.argv[2] === '9' ? ['cometd-9', 'client-2'] : ['cometd-3', 'client-1'];
(await load(adapter)).adapt();
const {CometD} = await load(version);

// What asks for /service/slow is replied to after 3 s, everything else at once, or never.
const server = new WebSocketServer({host: '127.0.0.1', port: 0});
await once(server, 'listening');
server.on('connection', (socket) => {
  socket.on('message', (text) => {
    for (const {channel, id, advice} of JSON.parse(text)) {
      const reply = {channel, id, successful: true};
      if (channel === '/meta/handshake') {
        Object.assign(reply, {clientId: 'c1', version: '1.0', supportedConnectionTypes: ['websocket']});
      }
      if (channel === '/service/never' || (channel === '/meta/connect' && advice?.timeout !== 0)) continue;
      setTimeout(() => socket.send(JSON.stringify([reply])), channel === '/service/slow' ? 3_000 : 0);
    }
  });
  socket.on('close', (code, reason) => server.emit('gone', `${code} ${reason}`));
});

const client = new CometD();
client.unregisterTransport('long-polling');
const url = `http://127.0.0.1:${server.address().port}/cometd`;
client.configure({url, logLevel: 'warn', maxNetworkDelay: 1_000});
const failed = [];
await new Promise((connected) => {
  client.addListener('/meta/connect', connected);
  client.handshake();
});
client.addListener('/meta/unsuccessful', ({channel}) => failed.push(channel));
// The held connect is on its way, as is another message with patience of its own.
await new Promise((done) => client.publish('/a', 1, done));
const gone = once(server, 'gone', {signal: AbortSignal.timeout(10_000)});
const start = performance.now();
const call = (target, timeout) => new Promise((done) => {
  client.remoteCall(target, {}, timeout, (reply) => done({successful: reply.successful, seconds: (performance.now() - start) / 1_000}));
});
const slow = await call('/slow', 60_000);
const [how] = await gone;
assert.equal(slow.successful, false);
assert(slow.seconds < 2, `${slow.seconds}`);
assert.equal(how, '1000 Message Timeout');
assert(failed.includes('/meta/connect'), failed.join());
console.log(`ok: cometd ${process.argv[2]}: a call with 60 s failed after ${slow.seconds.toFixed(1)} s, the WebSocket was closed with ${how}, with it failed ${failed}`);
process.exit();
EOF
timeout 30 node probe.mjs 9
timeout 30 node probe.mjs 3
