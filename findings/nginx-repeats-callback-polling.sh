#!/usr/bin/env bash
# nginx 1.22.1 (Debian 12): what a client publishes by callback-polling may be published twice.
#
# One would expect: nginx does not repeat a request that a server has taken, since that could act twice.
# What happens: it goes by the method. A POST whose server closes the connection without an answer gets 502. A GET is
# given to the next server of the `upstream`; and callback-polling puts its messages, publishes included, into a GET.
# So a message that was published just before its server went away is published again by another.
# For a Bayeux user: with several servers and callback-polling set `proxy_next_upstream off` for it, or let receivers
# bear a message that comes twice.
set -euo pipefail
tmp=$(mktemp -d)
trap 'kill $(jobs -p) 2>>"$tmp/log" || true; wait; rm -rf "$tmp"' EXIT
cd "$tmp"
chmod 755 .
fetch() { apt-get download "$@" >>log 2>&1 || { apt-get update >>log 2>&1 && apt-get download "$@" >>log 2>&1; }; }
fetch nginx || { cat log >&2; exit 1; }
dpkg -x nginx_*.deb root
root/usr/sbin/nginx -v 2>&1 | grep -o '1\.22\.1' >>log

cat >probe.mjs <<'EOF'
import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {existsSync, writeFileSync} from 'node:fs';
import {createServer, request} from 'node:http';
import {setTimeout as sleep} from 'node:timers/promises';

// Two servers of a cluster: the first to be asked reads the messages, and is stopped before it replies.
const published = [];
const servers = [0, 1].map((n) => createServer(async (asked, response) => {
  let text = '';
  for await (const chunk of asked.setEncoding('utf8')) text += chunk;
  const messages = JSON.parse(text || new URL(asked.url, 'http://x').searchParams.get('message'));
  published.push(`server ${n + 1}: ${messages[0].data}`);
  if (published.length === 1) return asked.socket.destroy();
  response.end(JSON.stringify([{channel: '/a', id: '1', successful: true}]));
}).listen(0, '127.0.0.1'));
await Promise.all(servers.map((server) => once(server, 'listening')));

writeFileSync('nginx.conf', `
daemon off; worker_processes 1; pid nginx.pid; error_log nginx.log;
events { worker_connections 64; }
http {
  access_log off; client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
  upstream cluster { ${servers.map((server) => `server 127.0.0.1:${server.address().port} max_fails=0;`).join(' ')} }
  server { listen unix:nginx.sock; location / { proxy_pass http://cluster; } }
}
`);
const nginx = spawn(process.argv[2], ['-p', '.', '-c', 'nginx.conf', '-e', 'nginx.log'], {stdio: 'ignore'});
for (let tries = 0; !existsSync('nginx.sock'); tries++) {
  assert(tries < 200, 'nginx does not listen');
  await sleep(50);
}

/** The status that a client gets, and which servers published its message. */
async function publish(method) {
  published.length = 0;
  const body = JSON.stringify([{channel: '/a', id: '1', clientId: 'c1', data: 'pay'}]);
  const path = method === 'GET' ? `/cometd?jsonp=f&message=${encodeURIComponent(body)}` : '/cometd';
  const asked = request({socketPath: 'nginx.sock', method, path, agent: false});
  asked.end(method === 'GET' ? undefined : body);
  const [response] = await once(asked, 'response', {signal: AbortSignal.timeout(10_000)});
  response.resume();
  return {status: response.statusCode, published: [...published]};
}
const post = await publish('POST');
assert.equal(post.status, 502);
assert.equal(post.published.length, 1);
const get = await publish('GET');
assert.equal(get.status, 200);
assert.equal(get.published.length, 2);
console.log('ok: POST', JSON.stringify(post));
console.log('ok: GET', JSON.stringify(get));
nginx.kill();
process.exit();
EOF
timeout 40 node probe.mjs root/usr/sbin/nginx
