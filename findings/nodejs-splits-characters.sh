#!/usr/bin/env bash
# cometd-nodejs-client 2.0.0 and 1.5.0, cometd-nodejs-server 1.2.1 (npm): over long-polling, text with other than
# ASCII characters is damaged where it is cut into packets.
#
# One would expect: an answer of 300 KB arrives as it was sent, whatever packets it comes in.
# What happens: both turn each piece of the body into text by itself. A character of several bytes that lies on the
# border of two pieces becomes two or three U+FFFD. It is still good JSON, so nothing fails. Small bodies
# come in one piece and are never damaged, so tests do not show it.
# For a Bayeux user: Node.js clients get long texts (a catalogue, a chat's history) whole over WebSocket only, or when
# the server writes other than ASCII characters as \u escapes, which are not damaged; the same for what is
# sent to the Node.js server.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund cometd-9@npm:cometd@9.0.0 cometd-3@npm:cometd@3.1.14 \
  client-2@npm:cometd-nodejs-client@2.0.0 client-1@npm:cometd-nodejs-client@1.5.0 cometd-nodejs-server@1.2.1

cat >client.mjs <<'EOF'
import assert from 'node:assert/strict';
import {createServer} from 'node:http';
import {once} from 'node:events';

const load = async (name) => (await import(name)).default ?? import(name);
const [version, adapter] = process.argv[2] === '2.0.0' ? ['cometd-9', 'client-2'] : ['cometd-3', 'client-1'];
(await load(adapter)).adapt();
const {CometD} = await load(version);

// The reply to the second connect brings the text, cut within a character, the second piece once the first is out.
const sent = 'Käse';
const http = createServer(async (request, response) => {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += chunk;
  const [{channel, id, advice}] = JSON.parse(text);
  const reply = {channel, id, successful: true};
  if (channel === '/meta/handshake') {
    Object.assign(reply, {clientId: 'c1', version: '1.0', supportedConnectionTypes: ['long-polling']});
  }
  const messages = channel === '/meta/connect' && !advice ? [{channel: '/menu', data: sent}, reply] : [reply];
  const body = Buffer.from(JSON.stringify(messages));
  const cut = body.indexOf('ä') + 1;
  response.setHeader('Content-Type', 'application/json;charset=UTF-8');
  response.write(body.subarray(0, cut), () => setTimeout(() => response.end(body.subarray(cut)), 200));
}).listen(0, '127.0.0.1');
await once(http, 'listening');

const client = new CometD();
client.unregisterTransport('websocket');
client.configure({url: `http://127.0.0.1:${http.address().port}/cometd`, logLevel: 'warn'});
const got = await new Promise((done) => {
  client.addListener('/menu', ({data}) => done(data));
  client.handshake();
});
assert.equal(got, 'K\ufffd\ufffdse');
console.log(`ok: client ${process.argv[2]}: sent ${sent}, got ${got}`);
process.exit();
EOF
cat >server.mjs <<'EOF'
import assert from 'node:assert/strict';
import {createServer, request} from 'node:http';
import {once} from 'node:events';
import bayeux from 'cometd-nodejs-server';

const server = bayeux.createCometDServer();
const http = createServer((request, response) => server.handle(request, response)).listen(0, '127.0.0.1');
await once(http, 'listening');
let cookie;
async function post(message, cut) {
  const body = Buffer.from(JSON.stringify([message]));
  const headers = {'Content-Type': 'application/json;charset=UTF-8', 'Content-Length': body.length, ...cookie};
  const out = request({port: http.address().port, method: 'POST', headers});
  out.write(body.subarray(0, cut(body)), () => setTimeout(() => out.end(body.subarray(cut(body))), 200));
  const [response] = await once(out, 'response');
  cookie ??= {Cookie: response.headers['set-cookie'][0].split(';')[0]};
  let text = '';
  for await (const chunk of response) text += chunk;
  return JSON.parse(text)[0];
}
const {clientId} = await post(
  {channel: '/meta/handshake', version: '1.0', supportedConnectionTypes: ['long-polling']},
  () => 1,
);
let got;
server.createServerChannel('/menu').addListener('message', (_session, _channel, message, done) => {
  got = message.data;
  done();
});
const sent = 'Käse';
await post({channel: '/menu', clientId, data: sent}, (body) => body.indexOf('ä') + 1);
assert.equal(got, 'K\ufffd\ufffdse');
console.log(`ok: server 1.2.1: sent ${sent}, got ${got}`);
process.exit();
EOF
timeout 30 node client.mjs 2.0.0
timeout 30 node client.mjs 1.5.0
timeout 30 node server.mjs
