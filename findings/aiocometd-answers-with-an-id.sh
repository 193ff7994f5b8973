#!/usr/bin/env bash
# aiocometd-ng 0.5.6 (PyPI, with aiohttp 3.14.5): what a service answers is `publish()`'s result over WebSocket,
# and nowhere over long-polling.
#
# One would expect: a service of CometD answers a message with one that has the same channel and the request's
# id (that is how remote calls are answered), and the client gives it to the application, the same way over
# every transport.
# What happens: over WebSocket whatever comes first with the request's id is the result of `publish()`, so the
# application gets the service's data, and the real reply (`successful`) is dropped. Over long-polling
# `publish()` returns the reply, and the service's data is dropped: messages on `/service/` that have an id are
# never events. No error tells.
# For a Bayeux user: a service that Python clients ask has to answer without an id (then both transports deliver
# it by `receive()`), or on a broadcast channel; remote calls work over WebSocket only, by accident.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
python3 -m venv venv
venv/bin/pip install -q --no-compile --disable-pip-version-check aiocometd-ng==0.5.6 aiohttp==3.14.5

cat >probe.py <<'EOF'
import asyncio

from aiocometd_ng import Client, ConnectionType
from aiohttp import web

TRANSPORTS = [ConnectionType.WEBSOCKET, ConnectionType.LONG_POLLING]
hold = asyncio.Event()


async def answers(message):
    """What CometD's Java server answers: for a service, its answer and then the reply."""
    reply = {"channel": message["channel"], "id": message["id"], "successful": True}
    if message["channel"] == "/meta/handshake":
        reply |= {"clientId": "c1", "version": "1.0"}
        reply["supportedConnectionTypes"] = [transport.value for transport in TRANSPORTS]
    elif message["channel"] == "/meta/connect":
        reply["advice"] = {"reconnect": "retry", "interval": 0, "timeout": 10000}
        if message["id"] not in ("0", "1"):
            await hold.wait()
    elif message["channel"] == "/service/sum":
        data = {"sum": sum(message["data"]["terms"])}
        with_id = {"id": message["id"]} if message["data"]["with_id"] else {}
        return [{"channel": message["channel"], "data": data, **with_id}, reply]
    return [reply]


async def bayeux(request):
    if request.method == "POST":
        return web.json_response([a for message in await request.json() for a in await answers(message)])
    socket = web.WebSocketResponse()
    await socket.prepare(request)

    async def respond(messages):
        for message in messages:
            await socket.send_json(await answers(message))

    tasks = [asyncio.ensure_future(respond(frame.json())) async for frame in socket]
    for task in tasks:
        task.cancel()
    return socket


async def ask(url, transport, with_id):
    """The result of `publish`, and what `receive` gives within a second."""
    client = Client(url, transport)
    await asyncio.wait_for(client.open(), 10)
    result = await asyncio.wait_for(client.publish("/service/sum", {"terms": [1, 2], "with_id": with_id}), 10)
    try:
        received = await asyncio.wait_for(client.receive(), 1)
    except asyncio.TimeoutError:
        received = {}
    await client.close()
    return result.get("data"), received.get("data")


async def main():
    app = web.Application()
    app.router.add_route("*", "/cometd", bayeux)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/cometd"
    answer = {"sum": 3}
    for transport, with_id, expected in [
        (ConnectionType.WEBSOCKET, True, (answer, None)),
        (ConnectionType.LONG_POLLING, True, (None, None)),
        (ConnectionType.WEBSOCKET, False, (None, answer)),
        (ConnectionType.LONG_POLLING, False, (None, answer)),
    ]:
        seen = await ask(url, transport, with_id)
        how = f"{transport.value}, an answer {'with' if with_id else 'without'} id"
        assert seen == expected, f"{how}: {seen}"
        print(f"ok: {how}: publish() gives {seen[0]}, receive() gives {seen[1]}")


asyncio.run(main())
EOF
timeout 60 venv/bin/python probe.py 2>log || { cat log >&2; exit 1; }
