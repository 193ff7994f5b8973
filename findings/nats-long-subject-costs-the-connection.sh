#!/usr/bin/env bash
# nats-server 2.9.10 (Debian 12), nats 2.29.3 (npm): a subject that is too long costs the connection, and messages that
# have nothing to do with it.
#
# One would expect: a publish to a subject that the server does not take is an error of that publish.
# What happens: subject, reply subject and sizes together have 4,096 bytes. The client does not count: `publish` returns,
# the server closes the connection, and all subscriptions of the connection hear nothing until the client has
# connected again. What was published right behind is lost, without an error of its own.
# For a Bayeux user: channels are made by clients, and a node has one connection for all of its sessions. Where channels
# become subjects, refuse or hash long ones before publishing *and* subscribing, escapes counted.
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
import {connect} from 'nats';

let url;
for (let tries = 0; !url; tries++) {
  assert(tries < 200, 'no server');
  const [file] = existsSync('ports') ? readdirSync('ports').filter((name) => name.endsWith('.ports')) : [];
  if (file) url = JSON.parse(readFileSync(`ports/${file}`, 'utf8') || '{}').nats?.[0];
  await sleep(50);
}
const [node, other] = [await connect({servers: url, reconnectTimeWait: 500}), await connect({servers: url})];
const seen = [];
let back;
const again = new Promise((done) => (back = done));
(async () => {
  for await (const {type, data} of node.status()) {
    if (type !== 'disconnect' && type !== 'reconnect' && type !== 'error') continue;
    seen.push(type);
    if (type === 'reconnect') back();
  }
})();
const heard = [];
other.subscribe('news.>', {callback: (_error, message) => heard.push(message.subject.length > 20 ? 'long' : message.string())});
await other.flush();

node.publish('news.short', 'before');
await node.flush();
node.publish(`news.${'x'.repeat(4_100)}`, 'long');
node.publish('news.short', 'right behind');
await Promise.race([again, sleep(10_000).then(() => assert.fail('not connected again'))]);
node.publish('news.short', 'connected again');
await node.flush();
await other.flush();
assert(seen.includes('disconnect'));
assert.deepEqual(heard, ['before', 'connected again']);
console.log(`ok: all three publishes returned; events: ${seen.join(', ')}; the subscriber heard: ${heard.join(', ')}`);
process.exit();
EOF
timeout 40 node probe.mjs || { cat server.log >&2; exit 1; }
