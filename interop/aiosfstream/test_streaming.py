"""The Salesforce client of Python streams from a server that knows nothing of Salesforce."""

import asyncio
import unittest

from aiocometd_ng import ConnectionType
from aiosfstream_ng import Client, ReplayOption
from aiosfstream_ng.auth import AuthenticatorBase
from aiosfstream_ng.exceptions import ServerError
from aiosfstream_ng.replay import MappingStorage
from scene import PATIENCE, Scene

CHANNEL = "/event/News__e"


def event(replay_id):
    """What Salesforce delivers for a platform event."""
    created = f"2026-01-01T00:00:{replay_id:02}.000Z"
    return {"event": {"replayId": replay_id}, "payload": {"CreatedDate": created, "n": replay_id}}


class Authenticator(AuthenticatorBase):
    """Names the demo as the instance, without a login."""

    def __init__(self, instance_url):
        super().__init__()
        self.answer = {"instance_url": instance_url, "token_type": "Bearer", "access_token": "token"}

    async def _authenticate(self):
        return 200, self.answer


class Positions(MappingStorage):
    """Also notes what is asked for at each subscribe."""

    def __init__(self):
        super().__init__({})
        self.asked = asyncio.Queue()

    async def outgoing(self, payload, headers):
        await super().outgoing(payload, headers)
        for message in payload:
            if message["channel"] == "/meta/subscribe":
                self.asked.put_nowait(message.get("ext", {}).get("replay"))


class Streaming:
    async def open(self, replay=ReplayOption.NEW_EVENTS):
        client = Client(Authenticator(self.origin), replay=replay)
        await asyncio.wait_for(client.open(), PATIENCE)
        self.addAsyncCleanup(client.close)
        self.assertEqual(client.connection_type, self.transport)
        return client

    async def test_events_arrive_in_order_and_their_positions_are_kept(self):
        positions = Positions()
        client = await self.open(positions)
        publisher = await self.open()
        await client.subscribe(CHANNEL)
        for n in range(50):
            await publisher.publish(CHANNEL, event(n))
        for n in range(50):
            message = await self.receive(client)
            self.assertEqual(message["data"], event(n))
        self.assertEqual(positions.mapping[CHANNEL].replay_id, 49)

    async def test_a_position_that_the_server_does_not_know_is_no_fault(self):
        client = await self.open(ReplayOption.ALL_EVENTS)
        await client.subscribe(CHANNEL)
        await client.publish(CHANNEL, event(7))
        self.assertEqual((await self.receive(client))["data"], event(7))

    async def test_a_refusal_is_an_error_of_this_library(self):
        client = await self.open()
        with self.assertRaises(ServerError) as refusal:
            await client.subscribe("/demo/denied")
        self.assertEqual(refusal.exception.error, "403:denied_by_security_policy:create_denied")

    async def test_after_a_restart_it_asks_from_its_last_position(self):
        positions = Positions()
        client = await self.open(positions)
        await client.subscribe(CHANNEL)
        await client.publish(CHANNEL, event(3))
        await self.receive(client)
        self.assertIsNone(await positions.asked.get())

        self.restart()

        again = await asyncio.wait_for(positions.asked.get(), 3 * PATIENCE)
        self.assertEqual(again, {CHANNEL: 3})
        publisher = await self.open()
        received = asyncio.create_task(asyncio.wait_for(client.receive(), 3 * PATIENCE))
        n = 4
        # The client has sent its subscribe, but nothing tells when the server has got it.
        while not received.done():
            await publisher.publish(CHANNEL, event(n))
            n += 1
        self.assertGreaterEqual((await received)["data"]["event"]["replayId"], 4)


class OverWebSocket(Streaming, Scene):
    # The library shakes hands over long-polling even so.
    options = {"maxSessionsPerBrowser": -1}
    transport = ConnectionType.WEBSOCKET


class OverLongPolling(Streaming, Scene):
    """As with Salesforce, which has no other transport."""

    options = {"allowedTransports": "long-polling", "maxSessionsPerBrowser": -1}
    transport = ConnectionType.LONG_POLLING


if __name__ == "__main__":
    unittest.main()
