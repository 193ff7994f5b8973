#!/usr/bin/env bash
# cometd 9.0.0 (npm): `publishBinary` writes into the properties that it is given, and drops their `ext`.
#
# One would expect: the properties of a publish (such as an `ext` with a tenant) may be kept in one constant and
# used for every publish, as `publish` allows.
# What happens: `publishBinary` puts `ext: {binary: {}}` into that very object, in place of the `ext` it had. So the
# tenant is not sent; and the next plain `publish` with the same object is marked as binary too. With the
# `BinaryExtension` its encoding fails inside the extension, which is logged only: the message is sent as it is,
# text marked as Z85.
# For a Bayeux user: make the properties anew for each binary publish. Who receives binary messages has to expect
# `ext.binary` beside data that are not of its form.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund cometd@9.0.0 cometd-nodejs-client@2.0.0

cat >probe.mjs <<'EOF'
import assert from 'node:assert/strict';
import {createServer} from 'node:http';
import {once} from 'node:events';
import {adapt} from 'cometd-nodejs-client';
adapt();
const {CometD, BinaryExtension} = await import('cometd');

const arrived = [];
const http = createServer(async (request, response) => {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += chunk;
  const [{channel, id, data, ext, advice}] = JSON.parse(text);
  const reply = {channel, id, successful: true};
  if (channel === '/meta/handshake') {
    Object.assign(reply, {clientId: 'c1', version: '1.0', supportedConnectionTypes: ['long-polling']});
  } else if (channel === '/meta/connect') {
    if (advice?.timeout !== 0) return;
  } else {
    arrived.push({data, ext});
  }
  response.end(JSON.stringify([reply]));
}).listen(0, '127.0.0.1');
await once(http, 'listening');

const client = new CometD();
client.registerExtension('binary', new BinaryExtension());
client.unregisterTransport('websocket');
client.configure({url: `http://127.0.0.1:${http.address().port}/cometd`, logLevel: 'warn'});
await new Promise((connected) => {
  client.addListener('/meta/connect', connected);
  client.handshake();
});

const properties = {ext: {tenant: 'north'}};
const text = () => new Promise((done) => client.publish('/a', {note: 'plain'}, properties, done));
const four = new Uint8Array([1, 2, 3, 4]);
const binary = () => new Promise((done) => client.publishBinary('/a', four, true, undefined, properties, done));
await text();
await binary();
await text();
assert.deepEqual(properties, {ext: {binary: {}}});
assert.deepEqual(arrived, [
  {data: {note: 'plain'}, ext: {tenant: 'north'}},
  {data: {data: '0rJua', last: true}, ext: {binary: {}}},
  {data: {note: 'plain'}, ext: {binary: {}}},
]);
for (const message of arrived) console.log('ok: sent', JSON.stringify(message));
process.exit();
EOF
timeout 30 node probe.mjs
