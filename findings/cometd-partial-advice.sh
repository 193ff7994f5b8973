#!/usr/bin/env bash
# cometd 9.0.0 and 3.1.14, faye 1.4.3 (npm), aiocometd-ng 0.5.6 (PyPI) differ in what an advice leaves out.
#
# One would expect: advice tells what changes. After a handshake that advises an interval of 400 ms, a connect
# reply with the advice `{"timeout": 5000}` leaves the interval as it was.
# What happens: Faye's client merges. cometd takes the new advice alone, over its own configuration, so the interval
# is 0 again and the client asks at once; aiocometd-ng keeps the last advice alone, too.
# For a Bayeux user: a server that wants clients to slow down has to repeat the interval in every advice that it
# gives to that client, and one that has no more need of it has to say 0: complete advice, always.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund cometd-9@npm:cometd@9.0.0 cometd-3@npm:cometd@3.1.14 faye@1.4.3 \
  client-2@npm:cometd-nodejs-client@2.0.0 client-1@npm:cometd-nodejs-client@1.5.0
python3 -m venv venv
venv/bin/pip install -q --no-compile --disable-pip-version-check aiocometd-ng==0.5.6 aiohttp==3.14.5

cat >client.py <<'EOF'
import asyncio
import sys

from aiocometd_ng import Client, ConnectionType


async def main():
    await Client(sys.argv[1], ConnectionType.LONG_POLLING).open()
    await asyncio.sleep(20)


asyncio.run(main())
EOF
cat >client.mjs <<'EOF'
const load = async (name) => (await import(name)).default ?? import(name);
const [, , url, name] = process.argv;
if (name === 'faye') {
  const {Client} = await load('faye');
  const client = new Client(url);
  client.disable('websocket');
  client.connect();
} else {
  (await load(name === 'cometd-9' ? 'client-2' : 'client-1')).adapt();
  const client = new (await load(name)).CometD();
  client.unregisterTransport('websocket');
  client.configure({url, logLevel: 'warn'});
  client.handshake();
}
EOF
cat >probe.mjs <<'EOF'
import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {createServer} from 'node:http';
import {once} from 'node:events';

/** How long the client waits between a connect reply that advises only a timeout, and its next connect. */
async function pause(name, program, ...before) {
  const connects = [];
  const http = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request.setEncoding('utf8')) text += chunk;
    const [{channel, id}] = JSON.parse(text);
    const reply = {channel, id, successful: true};
    if (channel === '/meta/handshake') {
      Object.assign(reply, {clientId: 'c1', version: '1.0', supportedConnectionTypes: ['long-polling']});
      // aiocometd takes an interval for seconds.
      reply.advice = {reconnect: 'retry', interval: name === 'aiocometd-ng' ? 0.4 : 400, timeout: 5000};
    } else if (channel === '/meta/connect') {
      connects.push(performance.now());
      if (connects.length === 2) return http.emit('seen');
      reply.advice = {timeout: 5000};
    }
    response.setHeader('Content-Type', 'application/json').end(JSON.stringify([reply]));
  }).listen(0, '127.0.0.1');
  await once(http, 'listening');
  const url = `http://127.0.0.1:${http.address().port}/cometd`;
  const client = spawn(program, [...before, url, name], {stdio: ['ignore', 'ignore', 'ignore']});
  await once(http, 'seen', {signal: AbortSignal.timeout(15_000)});
  client.kill();
  http.closeAllConnections();
  http.close();
  return connects[1] - connects[0];
}

const node = (name) => pause(name, process.execPath, 'client.mjs');
const pauses = {
  'faye 1.4.3': await node('faye'),
  'cometd 9.0.0': await node('cometd-9'),
  'cometd 3.1.14': await node('cometd-3'),
  'aiocometd-ng 0.5.6': await pause('aiocometd-ng', 'venv/bin/python', 'client.py'),
};
for (const [name, ms] of Object.entries(pauses)) {
  if (name.startsWith('faye')) assert(ms > 350, `${name} waited ${ms} ms`);
  else assert(ms < 300, `${name} waited ${ms} ms`);
  console.log(`ok: ${name}: advised 400 ms, then an advice without it: waits ${ms.toFixed()} ms`);
}
process.exit();
EOF
timeout 80 node probe.mjs
