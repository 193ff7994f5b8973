#!/usr/bin/env bash
# faye 1.4.3 (npm), client: a request that is refused by an HTTP status is sent again, for ever.
#
# One would expect: a publish that the server (or a proxy) refuses with 413, "too large", fails.
# What happens: the status is not looked at. Whatever is not JSON counts as a lost connection, so the same message
# is sent again every `retry` seconds (5 by default) without end; its promise stays pending. Over
# long-polling what was sent in the same request is repeated with it, and a server that had handled it and then
# failed gets it twice. Only a reply with the same id, or the option `attempts`, ends this.
# For a Bayeux user: to a Faye client a refusal has to be a Bayeux reply (`successful: false`, `error: "413:…"`, by
# the message's id), or the same too large request comes every five seconds as long as the page is open.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund faye@1.4.3

cat >probe.mjs <<'EOF'
import assert from 'node:assert/strict';
import {createServer} from 'node:http';
import {once} from 'node:events';
import faye from 'faye';

const requests = [];
let refused = 0;
const http = createServer(async (request, response) => {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += chunk;
  const messages = JSON.parse(text);
  if (text.length > 10_000) {
    requests.push(messages);
    // The first times by status alone, then in a reply.
    refused += 1;
    if (refused <= 4) return response.writeHead(413, {'Content-Type': 'text/html'}).end('<h1>too large</h1>');
  }
  const replies = messages.map(({channel, id, data}) => {
    if (channel === '/meta/connect') return undefined;
    if (channel !== '/meta/handshake') {
      return data.length > 5_000 ? {channel, id, successful: false, error: '413::too large'} : {channel, id, successful: true};
    }
    return {channel, id, successful: true, clientId: 'c1', version: '1.0', supportedConnectionTypes: ['long-polling']};
  });
  if (replies.every((reply) => reply)) response.end(JSON.stringify(replies));
}).listen(0, '127.0.0.1');
await once(http, 'listening');

const client = new faye.Client(`http://127.0.0.1:${http.address().port}/cometd`, {retry: 0.2});
client.disable('websocket');
await new Promise((connected) => client.connect(connected));
const settled = [];
const publish = (data) => client.publish('/a', data).then(
  () => settled.push(`${data.length} characters: published`),
  (error) => settled.push(`${data.length} characters: ${error.code} ${error.message}`),
);
const start = performance.now();
await Promise.all([publish('x'.repeat(20_000))]);
const took = performance.now() - start;
assert.equal(refused, 5);
assert.equal(new Set(requests.flat().map(({id}) => id)).size, 1);
assert(took > 700, `${took}`);
assert.deepEqual(settled, ['20000 characters: 413 too large']);
console.log(`ok: refused 4 times by status 413 and sent ${refused} times; failed when a reply said so: ${settled}`);
process.exit();
EOF
timeout 30 node probe.mjs
