#!/usr/bin/env bash
# faye 1.4.3 (npm), client: a refused handshake is told to nobody, and asked again for ever.
#
# One would expect: `{"channel": "/meta/handshake", "successful": false, "error": "403::…"}` fails the subscription
# that caused the handshake, as a refused subscribe does.
# What happens: the promise of the subscription stays pending, there is no event, and the handshake is sent again
# every `retry` seconds (5 by default). With the advice `reconnect: "none"`, as CometD's servers refuse, it
# is not sent again, and nothing tells of that either; the client is then dead for good.
# For a Bayeux user: with Faye's client an extension with `incoming` that looks at `/meta/handshake` is the only way
# to notice a wrong or expired token. A server that refuses handshakes has to send `reconnect: "none"`, or each
# such page asks every 5 s.
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

async function outcome(advice, milliseconds) {
  let handshakes = 0;
  const http = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request.setEncoding('utf8')) text += chunk;
    response.end(JSON.stringify(JSON.parse(text).map(({channel, id}) => {
      handshakes += channel === '/meta/handshake';
      return {channel, id, successful: false, error: '403::handshake_denied', ...(advice && {advice})};
    })));
    http.emit('answered');
  }).listen(0, '127.0.0.1');
  await once(http, 'listening');
  const client = new faye.Client(`http://127.0.0.1:${http.address().port}/cometd`, {retry: 0.1});
  client.disable('websocket');
  const events = [];
  for (const event of ['transport:down', 'error']) client.on(event, () => events.push(event));
  client.subscribe('/a', () => {}).then(() => events.push('subscribed'), () => events.push('failed'));
  await once(http, 'answered', {signal: AbortSignal.timeout(10_000)});
  // What comes within the time is counted.
  await new Promise((done) => setTimeout(done, milliseconds));
  return {handshakes, events: [...events]};
}

const plain = await outcome(undefined, 1_500);
assert(plain.handshakes >= 8, `${plain.handshakes}`);
const none = await outcome({reconnect: 'none'}, 1_500);
assert.equal(none.handshakes, 1);
assert.deepEqual([plain.events, none.events], [[], []]);
console.log(`ok: refused without advice: ${plain.handshakes} handshakes in 1.5 s (retry 0.1 s), the application hears nothing`);
console.log(`ok: refused with reconnect none: ${none.handshakes} handshake, the application hears nothing`);
process.exit();
EOF
timeout 30 node probe.mjs
