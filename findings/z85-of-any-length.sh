#!/usr/bin/env bash
# Z85 in cometd 9.0.0, z85 0.0.2, z85-codec 0.1.0 (npm) and pyzmq 27.1.0 (PyPI): CometD's is not ZeroMQ's.
#
# One would expect: Z85 is ZeroMQ's RFC 32, so any library reads what CometD's binary extension writes.
# What happens: RFC 32 knows only lengths that divide by 4 (binary) and 5 (text). CometD encodes any length: a rest of
# 1, 2 or 3 bytes becomes 2, 3 or 4 characters. Where the length divides by 4 all agree; else pyzmq raises an
# error, and z85 and z85-codec give null.
# For a Bayeux user: three of four lengths cannot be read with a ready-made library. Pad the text to a
# multiple of 5 with `#`, decode, and cut as many bytes as were added; CometD's decoder does the same.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund cometd@9.0.0 z85@0.0.2 z85-codec@0.1.0
python3 -m venv venv
venv/bin/pip install -q --no-compile --disable-pip-version-check pyzmq==27.1.0

cat >probe.mjs <<'EOF'
import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import z85 from 'z85';
import codec from 'z85-codec';
import {Z85} from 'cometd/Z85.js';

function pyzmq(text) {
  const code = 'import sys; from zmq.utils import z85; print(z85.decode(sys.argv[1]).hex())';
  const {status, stdout, stderr} = spawnSync('venv/bin/python', ['-c', code, text], {encoding: 'utf8'});
  return status === 0 ? stdout.trim() : stderr.trim().split('\n').at(-1);
}
const hex = (bytes) => bytes && Buffer.from(bytes).toString('hex');

for (const length of [4, 5, 6, 7, 8]) {
  const bytes = Uint8Array.from({length}, (_, n) => 0x86 + 0x11 * n);
  const text = Z85.encode(bytes);
  assert.equal(hex(Z85.decode(text)), hex(bytes));
  const others = [hex(z85.decode(text)), hex(codec.decode(text)), pyzmq(text)];
  if (length % 4 === 0) {
    assert.deepEqual(others, Array(3).fill(hex(bytes)));
  } else {
    assert.deepEqual(others.slice(0, 2), [null, null]);
    assert.match(others[2], /ValueError: .*multiple of 5/);
    // As the comment above says.
    const padded = codec.decode(text.padEnd(Math.ceil(text.length / 5) * 5, '#'));
    assert.equal(hex(padded).slice(0, 2 * length), hex(bytes));
  }
  console.log(`ok: ${length} bytes are ${text}; z85: ${others[0]}, z85-codec: ${others[1]}, pyzmq: ${others[2]}`);
}
EOF
timeout 60 node probe.mjs
