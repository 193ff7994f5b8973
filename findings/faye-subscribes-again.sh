#!/usr/bin/env bash
# faye 1.4.3 beside 1.2.5 (npm), client: each further listener of a channel is a further `/meta/subscribe`.
#
# One would expect: the first listener subscribes, others join it on the client's side, as the library's code intends
# and version 1.2.5 does.
# What happens: since its channels are kept in a Map, the test whether one is there already always says no. So five
# listeners on one channel are five subscribe messages, each of which is refused or granted by itself.
# For a Bayeux user: limits on messages count them, and a server that replays history at a subscribe sends it again to all
# the listeners, for each of them. Replay only for a session that was not subscribed yet.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund faye-1.4@npm:faye@1.4.3 faye-1.2@npm:faye@1.2.5

cat >probe.mjs <<'EOF'
import assert from 'node:assert/strict';
import {createServer} from 'node:http';
import {once} from 'node:events';

const LISTENERS = 5;
async function subscribes(name) {
  const {default: faye} = await import(name);
  let count = 0;
  const http = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request.setEncoding('utf8')) text += chunk;
    const messages = JSON.parse(text);
    if (messages.every(({channel}) => channel === '/meta/connect')) return;
    response.end(JSON.stringify(messages.map(({channel, id, subscription}) => {
      count += channel === '/meta/subscribe';
      const reply = {channel, id, subscription, successful: true};
      if (channel !== '/meta/handshake') return reply;
      return {...reply, clientId: 'c1', version: '1.0', supportedConnectionTypes: ['long-polling']};
    })));
  }).listen(0, '127.0.0.1');
  await once(http, 'listening');
  const client = new faye.Client(`http://127.0.0.1:${http.address().port}/cometd`);
  client.disable('websocket');
  for (let n = 0; n < LISTENERS; n++) await client.subscribe('/news', () => {});
  await client.publish('/other', 1);
  return count;
}
const counts = {'faye 1.2.5': await subscribes('faye-1.2'), 'faye 1.4.3': await subscribes('faye-1.4')};
assert.deepEqual(Object.values(counts), [1, LISTENERS]);
for (const [name, count] of Object.entries(counts)) console.log(`ok: ${name}: ${LISTENERS} listeners, ${count} subscribe messages`);
process.exit();
EOF
timeout 40 node probe.mjs
