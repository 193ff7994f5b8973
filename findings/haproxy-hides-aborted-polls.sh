#!/usr/bin/env bash
# HAProxy 2.6.12 (Debian 12), beside nginx 1.22.1 (Debian 12): behind HAProxy a server does not learn that the client
# of a held poll has gone.
#
# One would expect: a page is closed, its held `/meta/connect` is aborted, and the server sees the connection close,
# as it does without a proxy and behind nginx.
# What happens: HAProxy keeps its connection to the server open until the server answers, or `timeout server` ends.
# What the server writes meanwhile is taken and thrown away: the write is a success. `option abortonclose`
# (said to be about requests in the queue) makes HAProxy pass the abort on.
# For a Bayeux user: without that option the next message for a page that reloads goes into a poll that nobody reads,
# and is lost unless the acknowledgement extension is on. Set `option abortonclose` for Bayeux back ends.
set -euo pipefail
tmp=$(mktemp -d)
trap 'kill $(jobs -p) 2>>"$tmp/log" || true; wait; rm -rf "$tmp"' EXIT
cd "$tmp"
chmod 755 .
fetch() { apt-get download "$@" >>log 2>&1 || { apt-get update >>log 2>&1 && apt-get download "$@" >>log 2>&1; }; }
fetch haproxy nginx liblua5.3-0 libopentracing-c-wrapper0 libopentracing1 || { cat log >&2; exit 1; }
for package in *.deb; do dpkg -x "$package" root; done
export LD_LIBRARY_PATH=$tmp/root/usr/lib/x86_64-linux-gnu
haproxy=root/usr/sbin/haproxy nginx=root/usr/sbin/nginx
$haproxy -v | grep -o 'version 2\.6\.12' >>log
$nginx -v 2>&1 | grep -o '1\.22\.1' >>log

cat >probe.mjs <<'EOF'
import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {existsSync, writeFileSync} from 'node:fs';
import {createServer, request} from 'node:http';
import {setTimeout as sleep} from 'node:timers/promises';

// The server holds each poll for 3 s, and notes how its connection ends.
const PATIENCE = 3_000;
const http = createServer((poll, response) => {
  const start = performance.now();
  const timer = setTimeout(() => response.end('[{"channel":"/news","data":1}]'), PATIENCE);
  response.on('close', () => {
    clearTimeout(timer);
    const seconds = ((performance.now() - start) / 1_000).toFixed(1);
    http.emit('ended', response.writableFinished ? 'message written' : 'abort seen', Number(seconds));
  });
  http.emit('held');
}).listen(0, '127.0.0.1');
await once(http, 'listening');
const {port} = http.address();

const haproxy = (option) => `
global
  maxconn 100
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  ${option}
frontend f
  bind unix@${process.cwd()}/haproxy${option ? 2 : 1}.sock
  default_backend b
backend b
  server s 127.0.0.1:${port}
`;
const nginx = `
daemon off; worker_processes 1; pid nginx.pid; error_log nginx.log;
events { worker_connections 64; }
http {
  access_log off; client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
  server { listen unix:nginx.sock; location / { proxy_pass http://127.0.0.1:${port}; } }
}
`;

/** What the server sees of a poll that is aborted when it is held. */
async function abort(name, socketPath, config, program, ...args) {
  writeFileSync(name, config);
  const proxy = spawn(program, args, {stdio: ['ignore', 'ignore', 'inherit']});
  for (let tries = 0; !existsSync(socketPath); tries++) {
    assert(tries < 200, `${name} does not listen`);
    await sleep(50);
  }
  const poll = request({socketPath, method: 'POST', path: '/cometd/connect'}).on('error', () => {});
  poll.end('[{"channel":"/meta/connect"}]');
  const ended = once(http, 'ended', {signal: AbortSignal.timeout(15_000)});
  await once(http, 'held', {signal: AbortSignal.timeout(15_000)});
  poll.destroy();
  const [what, seconds] = await ended;
  proxy.kill();
  console.log(`ok: ${name}: ${what} after ${seconds} s`);
  return what;
}

const proxy = (number, option) =>
  abort(`haproxy${option && `, ${option}`}`, `haproxy${number}.sock`, haproxy(option), process.argv[2], '-q', '-db', '-f', `haproxy${option && `, ${option}`}`);
assert.equal(await abort('nginx', 'nginx.sock', nginx, process.argv[3], '-p', '.', '-c', 'nginx', '-e', 'nginx.log'), 'abort seen');
assert.equal(await proxy(1, ''), 'message written');
assert.equal(await proxy(2, 'option abortonclose'), 'abort seen');
process.exit();
EOF
timeout 60 node probe.mjs "$haproxy" "$nginx"
