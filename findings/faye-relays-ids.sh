#!/usr/bin/env bash
# faye 1.4.3 (server and a publisher), with cometd 9.0.0 (npm) as client: a broadcast answers a remote call.
#
# One would expect: a client's message id is between it and the server; who subscribes gets a message without it,
# as from CometD's servers, or at least a library does not take it for its own.
# What happens: Faye's server relays the publisher's id. cometd looks for the answer of a remote call by id alone,
# whatever the channel, and ids are small numbers that every client counts from 1. So the first broadcast with
# the same number is the call's result, its subscribers do not hear of it, and the true answer is a plain
# message that nobody waits for.
# For a Bayeux user: with cometd's libraries no remote calls to servers that relay ids; a server or bridge has to
# take them away from what it passes on (and from what comes out of a Faye server).
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund faye@1.4.3 cometd@9.0.0 cometd-nodejs-client@2.0.0

cat >probe.mjs <<'EOF'
import assert from 'node:assert/strict';
import {createServer} from 'node:http';
import {once} from 'node:events';
import {adapt} from 'cometd-nodejs-client';
import faye from 'faye';
adapt();
const {CometD} = await import('cometd');

const http = createServer().listen(0, '127.0.0.1');
await once(http, 'listening');
new faye.NodeAdapter({mount: '/cometd', timeout: 10}).attach(http);
const url = `http://127.0.0.1:${http.address().port}/cometd`;

const client = new CometD();
client.unregisterTransport('long-polling');
client.configure({url, logLevel: 'warn'});
await new Promise((connected) => {
  client.addListener('/meta/connect', connected);
  client.handshake();
});
const heard = [];
await new Promise((done) => client.subscribe('/news', ({data}) => heard.push(data), done));

// The call's id, as the library counts.
let id;
client.registerExtension('id', {outgoing: (message) => void (message.channel === '/service/price' && (id = message.id))});
const answer = new Promise((done) => client.remoteCall('/price', {of: 'tea'}, 10_000, done));
assert.match(id, /^\d+$/);
// Another client publishes news until its own count has passed that number.
const publisher = new faye.Client(url);
for (let n = 0; n <= Number(id); n++) await publisher.publish('/news', `news ${n}`);
const {channel, data, id: answered} = await answer;
assert.equal(channel, '/news');
assert.equal(answered, id);
await new Promise((done) => client.publish('/other', 1, done));
assert(!heard.includes(data) && heard.length > 0, heard.join());
console.log(`ok: /service/price (id ${id}) is answered by ${JSON.stringify(data)} of ${channel}; its subscriber heard ${heard}`);
process.exit();
EOF
timeout 30 node probe.mjs
