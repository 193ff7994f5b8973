#!/usr/bin/env bash
# faye 1.4.3 (npm), server, beside cometd-nodejs-server 1.2.1: two held connects of one session.
#
# One would expect: when a client gives a poll up and asks again, the server ends the older one, which nobody reads
# any more, and what comes goes with the newer; so do CometD's servers.
# What happens: Faye's server forgets the older one without an answer: it stays open for as long as both sides
# keep the connection, past the server's own `timeout`. The message goes with the newer.
# For a Bayeux user: a client of a Faye server has to close the connection of a poll that it gives up (abort the
# request), or it keeps a socket, and in browsers one of six, until its own timer ends it. CometD's servers
# end the older at once (the Node.js server with status 500).
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund cometd-nodejs-server@1.2.1 faye@1.4.3

cat >probe.mjs <<'EOF'
import assert from 'node:assert/strict';
import {createServer} from 'node:http';
import {once} from 'node:events';
import bayeux from 'cometd-nodejs-server';
import faye from 'faye';

/** What the older and the newer of two connects get when a message is published, within four times the time-out. */
async function outcomes(attach) {
  const http = createServer();
  attach(http);
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  let cookie;
  const post = async (...messages) => {
    const response = await fetch(`http://127.0.0.1:${http.address().port}/cometd`, {
      method: 'POST',
      headers: {'Content-Type': 'application/json', ...(cookie && {cookie})},
      body: JSON.stringify(messages),
    });
    cookie ??= response.headers.get('set-cookie')?.split(';')[0];
    return response.ok ? response.json() : response.status;
  };
  const handshake = async () => {
    const [{clientId}] = await post({channel: '/meta/handshake', version: '1.0', supportedConnectionTypes: ['long-polling']});
    return clientId;
  };
  const clientId = await handshake();
  const connect = (advice) => post({channel: '/meta/connect', clientId, connectionType: 'long-polling', ...advice});
  await connect({advice: {timeout: 0}});
  await post({channel: '/meta/subscribe', clientId, subscription: '/a'});
  const older = connect();
  await once(http, 'request');
  const newer = connect();
  await once(http, 'request');
  // One request after the other is read, so this one comes behind both.
  const publisher = await handshake();
  await post({channel: '/a', clientId: publisher, data: 'news'});
  const late = new Promise((done) => setTimeout(() => done('none'), 4_000));
  const texts = (await Promise.all([Promise.race([older, late]), newer])).map((answer) =>
    Array.isArray(answer) ? answer.flatMap(({data}) => data ?? []).join() : `${answer}`,
  );
  return texts.join(' | ');
}

const server = bayeux.createCometDServer({timeout: 1_000});
const seen = {
  'faye 1.4.3': await outcomes((http) => new faye.NodeAdapter({mount: '/cometd', timeout: 1}).attach(http)),
  'cometd-nodejs-server 1.2.1': await outcomes((http) =>
    http.on('request', (request, response) => server.handle(request, response)),
  ),
};
assert.deepEqual(Object.values(seen), ['none | news', '500 | news']);
for (const [name, text] of Object.entries(seen)) console.log(`ok: ${name}: the older | the newer within 4 s, with a timeout of 1 s: ${text}`);
process.exit();
EOF
timeout 40 node probe.mjs
