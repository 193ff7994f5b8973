#!/usr/bin/env bash
# python-bayeux 1.0.0 (PyPI, with gevent 25.9.1, requests 2.32.5): a session that CometD's servers do not know any
# more is asked for in a loop without a pause.
#
# One would expect: a connect that fails with the advice `reconnect: "handshake"` makes the client handshake anew.
# What happens: the advice is read only if the error is the very text `403::Unknown client`, as Salesforce writes it.
# CometD's `402::session_unknown`, with the same advice, is taken for nothing: the next connect follows at
# once, without the advised interval, for ever, hundreds in a second, and no error reaches the application.
# For a Bayeux user: one such client with an expired session loads a server like thousands of good ones. Limit requests
# per address in front; the client needs a wrapper that looks at its replies.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
python3 -m venv venv
venv/bin/pip install -q --no-compile --disable-pip-version-check python-bayeux==1.0.0 gevent==25.9.1 requests==2.32.5 simplejson==3.20.2

cat >client.py <<'EOF'
import sys

from gevent import monkey

monkey.patch_all()
from python_bayeux import BayeuxClient

BayeuxClient(sys.argv[1]).block()
EOF
cat >probe.mjs <<'EOF'
import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {createServer} from 'node:http';
import {once} from 'node:events';

/** How many handshakes and connects come within two seconds after the session is said to be unknown. */
async function count(error) {
  const counts = {handshakes: 0, connects: 0};
  let known = true;
  const http = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request.setEncoding('utf8')) text += chunk;
    const {channel, id} = JSON.parse(text);
    const reply = {channel, id, successful: true};
    if (channel === '/meta/handshake') {
      counts.handshakes += 1;
      Object.assign(reply, {clientId: `c${counts.handshakes}`, version: '1.0', supportedConnectionTypes: ['long-polling']});
    } else if (channel === '/meta/connect') {
      counts.connects += 1;
      reply.advice = {reconnect: 'retry', interval: 0, timeout: 5_000};
      if (counts.handshakes === 1 && counts.connects > 1) {
        if (known) http.emit('unknown');
        known = false;
        Object.assign(reply, {successful: false, error, advice: {reconnect: 'handshake', interval: 500, timeout: 5_000}});
      } else if (counts.handshakes === 2 && counts.connects > 3) {
        return;
      }
    }
    response.end(JSON.stringify([reply]));
  }).listen(0, '127.0.0.1');
  await once(http, 'listening');
  const url = `http://127.0.0.1:${http.address().port}/cometd`;
  const client = spawn('venv/bin/python', ['client.py', url], {stdio: 'ignore'});
  await once(http, 'unknown', {signal: AbortSignal.timeout(20_000)});
  await new Promise((done) => setTimeout(done, 2_000));
  client.kill('SIGKILL');
  return counts;
}
const salesforce = await count('403::Unknown client');
assert.equal(salesforce.handshakes, 2);
assert(salesforce.connects < 6);
const cometd = await count('402::session_unknown');
assert.equal(cometd.handshakes, 1);
assert(cometd.connects > 50, `${cometd.connects}`);
console.log('ok: 403::Unknown client:', JSON.stringify(salesforce));
console.log('ok: 402::session_unknown:', JSON.stringify(cometd), 'in 2 s');
process.exit();
EOF
timeout 60 node probe.mjs
