#!/usr/bin/env bash
# aiocometd-ng 0.5.6 (PyPI, with aiohttp 3.14.5) on Python 3.10 and later: `receive()` gives up at the first
# failed connect, whatever its patience.
#
# One would expect: `connection_timeout` (10 s by default) is how long `receive()` lets the client reconnect
# before it raises `TransportTimeoutError`; the package says that it supports Python 3.10.
# What happens: the wait hands asyncio an argument that Python 3.10 took away. The error stays inside, looks
# like a wait that is over, and `receive()` (so `async for` too) raises after milliseconds. The client itself
# reconnects as if nothing had been, and the next `receive()` gets its messages.
# For a Bayeux user: one 503 of a proxy or a restart ends every loop over messages. Around `receive()` belongs
# a loop that goes on after `TransportTimeoutError`, with a time limit of its own.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo 'needs Python 3.10 or later'; exit 2; }
python3 -m venv venv
venv/bin/pip install -q --no-compile --disable-pip-version-check aiocometd-ng==0.5.6 aiohttp==3.14.5

cat >probe.py <<'EOF'
import asyncio
import time

from aiocometd_ng import Client, ConnectionType
from aiocometd_ng.exceptions import TransportTimeoutError
from aiohttp import web

PATIENCE = 10
fail = asyncio.Event()
failed = False


async def bayeux(request):
    """Connects are held, until one of them is to fail; the one after that brings a message."""
    global failed
    replies = []
    for message in await request.json():
        reply = {"channel": message["channel"], "id": message["id"], "successful": True}
        if message["channel"] == "/meta/handshake":
            reply |= {"clientId": "c1", "version": "1.0", "supportedConnectionTypes": ["long-polling"]}
        if message["channel"] == "/meta/connect":
            reply["advice"] = {"reconnect": "retry", "interval": 0, "timeout": 10000}
            if failed:
                replies.append({"channel": "/news", "data": "back again"})
                failed = False
            elif message["id"] != "1":
                await fail.wait()
                fail.clear()
                failed = True
                return web.Response(status=503, text="no server is available")
        replies.append(reply)
    return web.json_response(replies)


async def main():
    app = web.Application()
    app.router.add_post("/cometd", bayeux)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    client = Client(
        f"http://127.0.0.1:{runner.addresses[0][1]}/cometd",
        ConnectionType.LONG_POLLING,
        connection_timeout=PATIENCE,
    )
    await asyncio.wait_for(client.open(), 10)
    receiving = asyncio.ensure_future(client.receive())
    start = time.monotonic()
    fail.set()
    try:
        message = await asyncio.wait_for(receiving, 2 * PATIENCE)
        raise SystemExit(f"it waited and got {message}")
    except TransportTimeoutError as error:
        took = time.monotonic() - start
        assert took < 1, f"it waited {took:.2f} s"
        print(f"ok: with a patience of {PATIENCE} s it raised after {took:.3f} s: {error}")
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            message = await asyncio.wait_for(client.receive(), PATIENCE)
            print(f"ok: yet it reconnects, and is given {message['data']!r} after {time.monotonic() - start:.1f} s")
            break
        except TransportTimeoutError:
            await asyncio.sleep(0.05)
    else:
        raise SystemExit("it did not come back")
    await client.close()


asyncio.run(main())
EOF
timeout 60 venv/bin/python probe.py 2>log || { cat log >&2; exit 1; }
