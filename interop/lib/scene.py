"""A test case in Python with a demo of its own."""

import asyncio
import logging
import os
import re
import subprocess
import unittest
from pathlib import Path

from aiocometd_ng import Client, ConnectionType

PROGRAM = os.environ.get(
    "BAYEUX_DEMO", str(Path(__file__).resolve().parents[2] / "target/release/demo")
)
PATIENCE = 10

# A demo that is stopped has no more time than this for clients that have gone without a word; and the client
# would stay away for as many seconds as it is told milliseconds.
QUICK = {"drainSpread": 0, "drainInterval": 1, "drainTimeout": 1000}

# The client cancels its own tasks when it closes, which asyncio's debug mode reports at length.
logging.getLogger("asyncio").setLevel(logging.CRITICAL)


class Scene(unittest.IsolatedAsyncioTestCase):
    """Starts the demo before each test; `connect` makes open clients of one transport."""

    options = {"maxSessionsPerBrowser": -1}

    def setUp(self):
        self.start(0)
        self.addCleanup(self.kill)
        # By name, since the HTTP library keeps no cookies of bare addresses.
        self.origin = f"http://localhost:{self.port}"
        self.url = f"{self.origin}/cometd"

    def start(self, port):
        arguments = [PROGRAM, "--listen", f"127.0.0.1:{port}"]
        for name, value in {**QUICK, **self.options}.items():
            arguments += ["-o", f"{name}={value}"]
        self.demo = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
        line = self.demo.stdout.readline()
        self.port = re.search(r"http://[^\s/]+:(\d+)", line).group(1)

    def stop(self):
        self.demo.terminate()
        self.demo.wait(PATIENCE)
        self.demo.stdout.close()

    def kill(self):
        # Not asked to stop: it would wait for clients that have gone without a word.
        self.demo.kill()
        self.demo.wait(PATIENCE)
        self.demo.stdout.close()

    def restart(self):
        self.stop()
        self.start(self.port)

    async def connect(self, transport, **settings):
        client = Client(self.url, transport, **settings)
        await asyncio.wait_for(client.open(), PATIENCE)
        self.addAsyncCleanup(client.close)
        self.assertEqual(client.connection_type, transport)
        return client

    async def receive(self, client):
        return await asyncio.wait_for(client.receive(), PATIENCE)


def over_every_transport(test):
    """Runs the test once over websocket and once over long-polling."""

    async def run(self):
        for transport in (ConnectionType.WEBSOCKET, ConnectionType.LONG_POLLING):
            with self.subTest(transport=transport.value):
                await test(self, transport)

    run.__name__ = test.__name__
    run.__doc__ = test.__doc__
    return run
