#!/usr/bin/env bash
# cometd 9.0.0, 7.0.19 and 3.1.14 (npm), against cometd-nodejs-server 1.2.1: who subscribes second to a channel is
# told of a success that the server never granted.
#
# One would expect: two parts of a page subscribe to the same channel, the server refuses, both are told.
# What happens: only the first `subscribe` is sent. The second one's callback is given a message made by the
# library itself, `{"successful": true}`, while the first is still on its way; it then comes *before* the
# refusal, which only the first callback sees, and which silently removes the listeners of both. (In version 3 the
# second callback is never called, whatever the server says.)
# For a Bayeux user: a permission that is lacking looks like a channel on which nothing happens. Listen to
# `/meta/subscribe` and look at `subscription`, since that hears the real reply, whoever asked.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund cometd-9@npm:cometd@9.0.0 cometd-7@npm:cometd@7.0.19 cometd-3@npm:cometd@3.1.14 \
  client-2@npm:cometd-nodejs-client@2.0.0 client-1@npm:cometd-nodejs-client@1.5.0 cometd-nodejs-server@1.2.1

cat >probe.mjs <<'EOF'
import assert from 'node:assert/strict';
import {createServer} from 'node:http';
import {once} from 'node:events';
import bayeux from 'cometd-nodejs-server';

const load = async (name) => (await import(name)).default ?? import(name);
const version = Number(process.argv[2]);
(await load(version < 9 ? 'client-1' : 'client-2')).adapt();
const {CometD} = await load(`cometd-${version}`);

const server = bayeux.createCometDServer({timeout: 2000});
server.policy = {canSubscribe: (_session, _message, channel, answer) => answer(null, channel.name !== '/secret')};
const http = createServer((request, response) => server.handle(request, response)).listen(0, '127.0.0.1');
await once(http, 'listening');

const client = new CometD();
client.unregisterTransport('websocket');
client.configure({url: `http://127.0.0.1:${http.address().port}/cometd`, logLevel: 'warn'});
await new Promise((connected) => {
  client.addListener('/meta/connect', connected);
  client.handshake();
});

const heard = [];
const tell = (who) => (reply) => heard.push(`${who}: ${reply.successful ? 'successful' : reply.error}`);
client.addListener('/meta/subscribe', tell('a listener to /meta/subscribe'));
const first = new Promise((done) => {
  client.subscribe('/secret', () => {}, (reply) => done(tell('the first')(reply)));
});
client.subscribe('/secret', () => {}, tell('the second'));
await first;
await new Promise((done) => client.publish('/other', 1, done));
assert.deepEqual(heard, [
  ...(version > 3 ? ['the second: successful'] : []),
  'the first: 403::subscribe_denied',
  'a listener to /meta/subscribe: 403::subscribe_denied',
]);
console.log(`ok: cometd ${version}: ${heard.join('; ')}`);
process.exit();
EOF
for version in 9 7 3; do timeout 30 node probe.mjs $version; done
