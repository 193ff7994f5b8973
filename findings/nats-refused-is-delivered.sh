#!/usr/bin/env bash
# nats-server 2.9.10 (Debian 12), nats 2.29.3 (npm): what a JetStream stream refuses or drops as a duplicate is
# delivered to plain subscribers all the same.
#
# One would expect: with a stream on the subject, a publish that the stream refuses ("wrong last sequence") has not
# happened, and a repetition with the same `Nats-Msg-Id` is there once.
# What happens: subscribers of the subject get every one of them. The stream only answers whether *it* keeps it.
# For a Bayeux user: nodes that hand messages on by NATS with a history beside it must deliver what the stream stored
# (a consumer, or the plain copy once its sequence is known). Else a client sees a message live that its
# publisher was told had failed, that no replay will ever have, or sees a retry twice.
set -euo pipefail
tmp=$(mktemp -d)
trap 'kill $(jobs -p) 2>>"$tmp/log" || true; wait; rm -rf "$tmp"' EXIT
cd "$tmp"
chmod 755 .
fetch() { apt-get download "$@" >>log 2>&1 || { apt-get update >>log 2>&1 && apt-get download "$@" >>log 2>&1; }; }
fetch nats-server || { cat log >&2; exit 1; }
dpkg -x nats-server_2.9.10*.deb root
npm install --silent --no-audit --no-fund nats@2.29.3
mkdir ports
timeout 60 root/usr/sbin/nats-server -a 127.0.0.1 -p -1 -js -sd store --ports_file_dir ports 2>server.log &

cat >probe.mjs <<'EOF'
import assert from 'node:assert/strict';
import {existsSync, readdirSync, readFileSync} from 'node:fs';
import {setTimeout as sleep} from 'node:timers/promises';
import {connect, headers} from 'nats';

let url;
for (let tries = 0; !url; tries++) {
  assert(tries < 200, 'no server');
  const [file] = existsSync('ports') ? readdirSync('ports').filter((name) => name.endsWith('.ports')) : [];
  if (file) url = JSON.parse(readFileSync(`ports/${file}`, 'utf8') || '{}').nats?.[0];
  await sleep(50);
}
const nats = await connect({servers: url});
await (await nats.jetstreamManager()).streams.add({name: 'H', subjects: ['b.>'], storage: 'memory'});
const stream = nats.jetstream();
const heard = [];
nats.subscribe('b.news', {callback: (_error, message) => heard.push(message.string())});

const outcomes = [];
for (const [text, id, expect] of [['one', 'x'], ['one again', 'x'], ['two', 'y'], ['three', 'z', {lastSequence: 1}]]) {
  const named = headers();
  named.set('Nats-Msg-Id', id);
  outcomes.push(await stream.publish('b.news', text, {headers: named, expect}).then(
    ({duplicate, seq}) => (duplicate ? `dropped as a duplicate of ${seq}` : `stored as ${seq}`),
    (error) => `refused: ${error.message}`,
  ));
}
await nats.flush();
assert.deepEqual(outcomes, ['stored as 1', 'dropped as a duplicate of 1', 'stored as 2', 'refused: wrong last sequence: 2']);
assert.deepEqual(heard, ['one', 'one again', 'two', 'three']);
outcomes.forEach((outcome, n) => console.log(`ok: ${heard[n]}: ${outcome}; the subscriber heard it`));
await nats.close();
EOF
timeout 40 node probe.mjs || { cat server.log >&2; exit 1; }
