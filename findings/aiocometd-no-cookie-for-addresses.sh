#!/usr/bin/env bash
# aiocometd-ng 0.5.6 (PyPI, with aiohttp 3.14.5), cometd-nodejs-server 1.2.1 (npm): over long-polling, a server
# that is addressed by number says at every connect that it does not know the session.
#
# One would expect: `http://127.0.0.1:8080/cometd` and `http://localhost:8080/cometd` are as good as each other.
# What happens: aiohttp's cookie jar takes no cookies from bare addresses (its `unsafe=False`), and aiocometd-ng
# has no setting for that. CometD's servers find a session by its cookie BAYEUX_BROWSER *and* its id, so each
# connect gets `402::session_unknown` with the advice to handshake: `open()` fails, seconds after a
# handshake that succeeded.
# For a Bayeux user: by number only over WebSocket, whose session needs no cookie; else by name, or with a
# server that trusts ids (CometD's `trustClientSession`).
set -euo pipefail
tmp=$(mktemp -d)
trap 'kill $(jobs -p) 2>>"$tmp/log" || true; rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund cometd-nodejs-server@1.2.1 >log
python3 -m venv venv
venv/bin/pip install -q --no-compile --disable-pip-version-check aiocometd-ng==0.5.6 aiohttp==3.14.5

cat >server.cjs <<'EOF'
const cometd = require('cometd-nodejs-server').createCometDServer({timeout: 2000});
const http = require('node:http').createServer((request, response) => cometd.handle(request, response));
http.listen(0, '127.0.0.1', () => console.log(http.address().port));
EOF
mkfifo port
timeout 60 node server.cjs >port &
read -r -t 20 number <port

cat >probe.py <<'EOF'
import asyncio
import sys

from aiocometd_ng import Client, ConnectionType
from aiocometd_ng.exceptions import ServerError


async def outcome(host):
    client = Client(f"http://{host}:{sys.argv[1]}/cometd", ConnectionType.LONG_POLLING)
    try:
        await asyncio.wait_for(client.open(), 10)
        await client.close()
        return "opened"
    except ServerError as error:
        return error.error


async def main():
    by_name, by_number = await outcome("localhost"), await outcome("127.0.0.1")
    assert by_name == "opened", by_name
    assert by_number == "402::session_unknown", by_number
    print(f"ok: by name it is {by_name}, by number it is {by_number}")


asyncio.run(main())
EOF
timeout 60 venv/bin/python probe.py "$number" 2>log || { cat log >&2; exit 1; }
