#!/usr/bin/env bash
# aiocometd-ng 0.5.6 (PyPI, with aiohttp 3.14.5): `advice.interval` is taken for seconds.
#
# One would expect: Bayeux gives `advice.interval` in milliseconds, so a server that advises 2 is asked
# again 2 ms later.
# What happens: the client sleeps that many *seconds*. `advice.timeout` beside it is read as milliseconds.
# For a Bayeux user: CometD advises 2000 to the second tab of a browser, and servers that drain or shed load
# advise some hundreds; such a client is then silent for minutes, and its session is swept long before it
# asks again. The only interval that is safe for it is 0.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
python3 -m venv venv
venv/bin/pip install -q --no-compile --disable-pip-version-check aiocometd-ng==0.5.6 aiohttp==3.14.5

cat >probe.py <<'EOF'
import asyncio
import time

from aiocometd_ng import Client, ConnectionType
from aiohttp import web


async def pause_after(interval):
    """How long the client waits after it was advised an interval of so many milliseconds."""
    connects = asyncio.Queue()

    async def bayeux(request):
        replies = []
        for message in await request.json():
            reply = {"channel": message["channel"], "id": message["id"], "successful": True}
            if message["channel"] == "/meta/handshake":
                reply |= {"clientId": "c1", "version": "1.0", "supportedConnectionTypes": ["long-polling"]}
            if message["channel"] == "/meta/connect":
                connects.put_nowait(time.monotonic())
                reply["advice"] = {"reconnect": "retry", "interval": interval, "timeout": 10000}
            replies.append(reply)
        return web.json_response(replies)

    app = web.Application()
    app.router.add_post("/cometd", bayeux)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    client = Client(f"http://127.0.0.1:{runner.addresses[0][1]}/cometd", ConnectionType.LONG_POLLING)
    await asyncio.wait_for(client.open(), 10)
    first = await asyncio.wait_for(connects.get(), 10)
    second = await asyncio.wait_for(connects.get(), 20)
    await client.close()
    return second - first


async def main():
    for interval in (1, 3):
        pause = await pause_after(interval)
        assert interval <= pause < interval + 0.9, f"advised {interval} ms, waited {pause:.3f} s"
        print(f"ok: advised an interval of {interval} ms, it asked again after {pause:.2f} s")


asyncio.run(main())
EOF
timeout 60 venv/bin/python probe.py 2>log || { cat log >&2; exit 1; }
