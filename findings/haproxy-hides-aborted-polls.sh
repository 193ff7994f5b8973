#!/usr/bin/env bash
# HAProxy 2.6.12 (Debian 12), beside nginx 1.22.1 (Debian 12): behind HAProxy a server does not learn that the client
# of a held poll has gone.
#
# One would expect: a page is closed, its held `/meta/connect` is aborted, and the server sees the connection close,
# as it does without a proxy and behind nginx.
# What happens: HAProxy keeps its connection to the server open until the server answers, or `timeout server` ends; over
# HTTP/2 only a request that is cancelled by itself is passed on, a closed connection is not.
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
import {existsSync, rmSync, writeFileSync} from 'node:fs';
import {createServer, request} from 'node:http';
import http2 from 'node:http2';
import {connect} from 'node:net';
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
  bind unix@${process.cwd()}/1.sock
  bind unix@${process.cwd()}/2.sock proto h2
  default_backend b
backend b
  server s 127.0.0.1:${port}
`;
const nginx = `
daemon off; worker_processes 1; pid nginx.pid; error_log nginx.log;
events { worker_connections 64; }
http {
  access_log off; client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
  server { listen unix:1.sock; location / { proxy_pass http://127.0.0.1:${port}; } }
  server { listen unix:2.sock http2; location / { proxy_pass http://127.0.0.1:${port}; } }
}
`;

// Ways to ask, which give the way to abort.
const body = '[{"channel":"/meta/connect"}]';
const one = () => {
  const poll = request({socketPath: '1.sock', method: 'POST', path: '/cometd/connect'}).on('error', () => {});
  poll.end(body);
  return () => poll.destroy();
};
const two = (abort) => () => {
  const session = http2.connect('http://localhost', {createConnection: () => connect('2.sock')}).on('error', () => {});
  const poll = session.request({':method': 'POST', ':path': '/cometd/connect'}).on('error', () => {});
  poll.end(body);
  return () => abort(session, poll);
};
const WAYS = [
  one,
  two((_session, poll) => poll.close(http2.constants.NGHTTP2_CANCEL)),
  two((session) => session.destroy()),
];

/** What the server sees when polls are aborted: over HTTP/1.1, over HTTP/2 cancelled, over HTTP/2 closed. */
async function outcomes(name, config, program, ...args) {
  writeFileSync('config', config);
  const proxy = spawn(program, args, {stdio: ['ignore', 'ignore', 'inherit']});
  for (let tries = 0; !existsSync('2.sock'); tries++) {
    assert(tries < 200, `${name} does not listen`);
    await sleep(50);
  }
  const seen = [];
  for (const ask of WAYS) {
    const held = once(http, 'held', {signal: AbortSignal.timeout(15_000)});
    const ended = once(http, 'ended', {signal: AbortSignal.timeout(15_000)});
    const abort = ask();
    await held;
    abort();
    const [what, seconds] = await ended;
    seen.push(`${what} after ${seconds} s`);
  }
  proxy.kill();
  await once(proxy, 'exit');
  for (const socket of ['1.sock', '2.sock']) rmSync(socket, {force: true});
  console.log(`ok: ${name}: HTTP/1.1: ${seen[0]}; HTTP/2, cancelled: ${seen[1]}; HTTP/2, closed: ${seen[2]}`);
  return seen.map((text) => text.split(' ')[0]).join();
}

const [, , haproxyPath, nginxPath] = process.argv;
const proxy = (name, option) => outcomes(name, haproxy(option), haproxyPath, '-q', '-db', '-f', 'config');
assert.equal(await outcomes('nginx', nginx, nginxPath, '-p', '.', '-c', 'config', '-e', 'nginx.log'), 'abort,abort,abort');
assert.equal(await proxy('haproxy', ''), 'message,abort,message');
assert.equal(await proxy('haproxy with abortonclose', 'option abortonclose'), 'abort,abort,abort');
process.exit();
EOF
timeout 60 node probe.mjs "$haproxy" "$nginx"
