#!/usr/bin/env bash
# cometd-nodejs-server 1.2.1 (npm): a session that publishes and never connects outlives `maxInterval` by far.
#
# One would expect: without a connect a session goes `maxInterval` after its last sign of life.
# What happens: each message adds to the session's end the whole time since its *last connect*, not since the
# message before. Twenty messages within one second, with a `maxInterval` of one second, put off the end by about
# ten seconds; sixty in a minute, with the default of ten seconds, by half an hour.
# For a Bayeux user: a client that only publishes (a sensor, a script) and is gone leaves its session, its
# subscriptions and all that is queued for it for much longer than configured. It has to send `/meta/disconnect`.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund cometd-nodejs-server@1.2.1

cat >probe.mjs <<'EOF'
import assert from 'node:assert/strict';
import {createServer} from 'node:http';
import {once} from 'node:events';
import {setTimeout as sleep} from 'node:timers/promises';
import bayeux from 'cometd-nodejs-server';

const maxInterval = 1_000;
const server = bayeux.createCometDServer({maxInterval, sweepPeriod: 50});
const http = createServer((request, response) => server.handle(request, response)).listen(0, '127.0.0.1');
await once(http, 'listening');

/** How long after its last message a session goes that sends so many in a second, and never connects. */
async function life(count) {
  let cookie;
  const post = async (message) => {
    const response = await fetch(`http://127.0.0.1:${http.address().port}/`, {
      method: 'POST',
      headers: {'Content-Type': 'application/json', ...(cookie && {cookie})},
      body: JSON.stringify([message]),
    });
    cookie ??= response.headers.get('set-cookie')?.split(';')[0];
    return (await response.json())[0];
  };
  const {clientId} = await post({channel: '/meta/handshake', version: '1.0', supportedConnectionTypes: ['long-polling']});
  const gone = new Promise((done) => server.getServerSession(clientId).addListener('removed', done));
  for (let n = 0; n < count; n++) {
    await sleep(900 / count);
    assert.equal((await post({channel: '/readings', clientId, data: n})).successful, true);
  }
  const last = performance.now();
  await gone;
  return (performance.now() - last) / 1_000;
}

const lives = await Promise.all([life(1), life(20)]);
assert(lives[0] < 2, `${lives}`);
assert(lives[1] > 6, `${lives}`);
[1, 20].forEach((count, at) =>
  console.log(`ok: maxInterval ${maxInterval} ms, ${count} messages: gone ${lives[at].toFixed(1)} s after the last`),
);
process.exit();
EOF
timeout 60 node probe.mjs
