#!/usr/bin/env bash
# cometd-nodejs-server 1.2.1 and faye 1.4.3 (npm): a session with overlapping subscriptions gets a message once from
# Faye, and once for each matching subscription from the Node.js server.
#
# One would expect: as CometD's Java server and Faye do, one copy, however many of a session's subscriptions match.
# What happens: with `/news`, `/*` and `/**` subscribed, the Node.js server queues the message three times. A client
# library then tells each of its listeners for each copy: nine calls for one message.
# For a Bayeux user: nothing in the copies tells them apart from three messages that are alike. With this server no
# session may subscribe to patterns that overlap; with others it may.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund cometd-nodejs-server@1.2.1 faye@1.4.3

cat >probe.mjs <<'EOF'
import assert from 'node:assert/strict';
import {createServer} from 'node:http';
import {once} from 'node:events';
import bayeux from 'cometd-nodejs-server';
import faye from 'faye';

async function copies(attach) {
  const http = createServer();
  attach(http);
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  let cookie;
  const post = async (...messages) => {
    const response = await fetch(`http://127.0.0.1:${http.address().port}/cometd`, {
      method: 'POST',
      headers: {'Content-Type': 'application/json', ...(cookie && {cookie})},
      body: JSON.stringify(messages),
    });
    cookie ??= response.headers.get('set-cookie')?.split(';')[0];
    return response.json();
  };
  const connectionType = 'long-polling';
  const [{clientId}] = await post({channel: '/meta/handshake', version: '1.0', supportedConnectionTypes: [connectionType]});
  const replies = await post(
    ...['/news', '/*', '/**'].map((subscription) => ({channel: '/meta/subscribe', clientId, subscription})),
  );
  assert(replies.every(({successful}) => successful));
  const published = await post({channel: '/news', clientId, data: 'once'});
  const connected = await post({channel: '/meta/connect', clientId, connectionType, advice: {timeout: 0}});
  return [...published, ...connected].filter(({data}) => data === 'once').length;
}

const server = bayeux.createCometDServer();
const counts = {
  'faye 1.4.3': await copies((http) => new faye.NodeAdapter({mount: '/cometd'}).attach(http)),
  'cometd-nodejs-server 1.2.1': await copies((http) =>
    http.on('request', (request, response) => server.handle(request, response)),
  ),
};
assert.deepEqual(Object.values(counts), [1, 3]);
for (const [name, count] of Object.entries(counts)) console.log(`ok: ${name}: ${count} of a message`);
process.exit();
EOF
timeout 30 node probe.mjs
