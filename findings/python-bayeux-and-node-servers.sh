#!/usr/bin/env bash
# python-bayeux 1.0.0 (PyPI, with gevent 25.9.1, requests 2.32.5) cannot even handshake with cometd-nodejs-server 1.2.1 or
# faye 1.4.3 (npm): each wants something else of a request.
#
# One would expect: a request may be one message or an array, and JSON is read whatever its label; CometD's Java server
# does.
# What happens: the Node.js server answers a message that is not in an array with status 400. Faye's answers JSON without
# the content type `application/json` with 400. python-bayeux sends single messages without a content type, does
# not look at the status, and fails in reading the answer.
# For a Bayeux user: send arrays, with the content type; a server that is to serve them all reads single messages and
# unlabelled bodies, too.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund cometd-nodejs-server@1.2.1 faye@1.4.3
python3 -m venv venv
venv/bin/pip install -q --no-compile --disable-pip-version-check python-bayeux==1.0.0 gevent==25.9.1 requests==2.32.5 simplejson==3.20.2

cat >client.py <<'EOF'
import sys

from gevent import monkey

monkey.patch_all()
from python_bayeux import BayeuxClient

try:
    print("handshaken as", BayeuxClient(sys.argv[1], start=False).client_id)
except Exception as error:
    print(type(error).__name__)
EOF
cat >probe.mjs <<'EOF'
import assert from 'node:assert/strict';
import {execFile} from 'node:child_process';
import {once} from 'node:events';
import {createServer, request} from 'node:http';
import {promisify} from 'node:util';
import bayeux from 'cometd-nodejs-server';
import faye from 'faye';

async function outcome(attach) {
  const http = createServer();
  attach(http);
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const {port} = http.address();
  const handshake = {channel: '/meta/handshake', version: '1.0', supportedConnectionTypes: ['long-polling']};
  const status = async (messages, headers) => {
    const asked = request({port, method: 'POST', path: '/cometd', headers, agent: false});
    asked.end(JSON.stringify(messages));
    const [response] = await once(asked, 'response', {signal: AbortSignal.timeout(10_000)});
    response.resume();
    return response.statusCode;
  };
  const json = {'Content-Type': 'application/json'};
  const {stdout} = await promisify(execFile)('venv/bin/python', ['client.py', `http://127.0.0.1:${port}/cometd`], {timeout: 40_000});
  return [
    `array ${await status([handshake], json)}`,
    `single ${await status(handshake, json)}`,
    `array without content type ${await status([handshake])}`,
    `python-bayeux: ${stdout.trim()}`,
  ].join(', ');
}

const server = bayeux.createCometDServer({timeout: 1_000});
const seen = {
  'faye 1.4.3': await outcome((http) => new faye.NodeAdapter({mount: '/cometd', timeout: 1}).attach(http)),
  'cometd-nodejs-server 1.2.1': await outcome((http) =>
    http.on('request', (request, response) => server.handle(request, response)),
  ),
};
for (const [name, text] of Object.entries(seen)) console.log(`ok: ${name}: ${text}`);
assert.deepEqual(Object.values(seen), [
  'array 200, single 200, array without content type 400, python-bayeux: JSONDecodeError',
  'array 200, single 400, array without content type 200, python-bayeux: IndexError',
]);
process.exit();
EOF
timeout 80 node probe.mjs
