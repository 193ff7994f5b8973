#!/usr/bin/env bash
# jsforce 3.10.4 with faye 1.4.3 (npm): of two replay extensions on one streaming client only the last counts.
#
# One would expect: a client with `Replay('/event/A', 10)` and `Replay('/event/B', 20)` subscribes to A from 10 and to B
# from 20.
# What happens: each extension writes the whole `ext.replay` of *every* subscribe, whatever its channel, so the last
# one overwrites the others: both subscribes carry `{"/event/B": 20}`. A is subscribed without a position and
# starts with what is new; what was missed is not replayed, and no error tells.
# For a Bayeux user: one jsforce client per replayed channel. A server must read `ext.replay` as a map that may name
# channels other than the subscription, and take the entry of the subscription only.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund jsforce@3.10.4 faye@1.4.3

cat >probe.cjs <<'EOF'
const assert = require('node:assert/strict');
const {createServer} = require('node:http');
const jsforce = require('jsforce');
const {StreamingExtension} = require('jsforce/api/streaming');

const subscribes = new Map();
const http = createServer(async (request, response) => {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += chunk;
  // It also asks for a WebSocket.
  if (request.method !== 'POST') return response.writeHead(400).end();
  const messages = [JSON.parse(text)].flat();
  const replies = messages.map(({channel, id, subscription, ext}) => {
    if (channel === '/meta/subscribe') subscribes.set(subscription, ext?.replay);
    const reply = {channel, id, subscription, successful: true};
    if (channel === '/meta/handshake') {
      Object.assign(reply, {clientId: 'c1', version: '1.0', supportedConnectionTypes: ['long-polling'], ext: {replay: true}});
    }
    return reply;
  });
  if (messages.every(({channel}) => channel === '/meta/connect')) return;
  response.end(JSON.stringify(replies));
}).listen(0, '127.0.0.1', async () => {
  const instanceUrl = `http://127.0.0.1:${http.address().port}`;
  const connection = new jsforce.Connection({instanceUrl, accessToken: 'token', version: '60.0'});
  const {Replay} = StreamingExtension;
  const client = connection.streaming.createClient([new Replay('/event/A', 10), new Replay('/event/B', 20)]);
  client.disable('websocket');
  await client.subscribe('/event/A', () => {});
  await client.subscribe('/event/B', () => {});
  const seen = Object.fromEntries(subscribes);
  assert.deepEqual(seen, {'/event/A': {'/event/B': 20}, '/event/B': {'/event/B': 20}});
  for (const [channel, replay] of subscribes) console.log(`ok: subscribe ${channel} has ext.replay ${JSON.stringify(replay)}`);
  process.exit();
});
EOF
timeout 30 node probe.cjs
