"""The Python client subscribes, publishes and calls services."""

import unittest

from scene import Scene, over_every_transport


class Publish(Scene):
    @over_every_transport
    async def test_a_subscriber_receives_what_another_client_publishes(self, transport):
        subscriber = await self.connect(transport)
        publisher = await self.connect(transport)
        await subscriber.subscribe("/news")
        reply = await publisher.publish("/news", {"text": "Grüße 😀", "n": [1, None]})
        self.assertTrue(reply["successful"])
        message = await self.receive(subscriber)
        self.assertEqual(message["channel"], "/news")
        self.assertEqual(message["data"], {"text": "Grüße 😀", "n": [1, None]})

    @over_every_transport
    async def test_100_messages_arrive_in_order(self, transport):
        subscriber = await self.connect(transport)
        publisher = await self.connect(transport)
        await subscriber.subscribe("/many/*")
        for n in range(100):
            await publisher.publish("/many/numbers", {"n": n})
        received = [await self.receive(subscriber) for _ in range(100)]
        self.assertEqual([message["data"]["n"] for message in received], list(range(100)))

    @over_every_transport
    async def test_after_unsubscribing_nothing_more_arrives(self, transport):
        client = await self.connect(transport)
        await client.subscribe("/fading")
        await client.subscribe("/end")
        await client.unsubscribe("/fading")
        await client.publish("/fading", {})
        await client.publish("/end", {})
        self.assertEqual((await self.receive(client))["channel"], "/end")

    @over_every_transport
    async def test_the_echo_service_answers(self, transport):
        client = await self.connect(transport)
        await client.publish("/service/echo", {"n": 7})
        message = await self.receive(client)
        self.assertEqual(message["channel"], "/service/echo")
        self.assertEqual(message["data"], {"n": 7})


class ShortHold(Scene):
    options = {"maxSessionsPerBrowser": -1, "timeout": 300, "maxInterval": 2000}

    @over_every_transport
    async def test_the_session_outlives_many_held_connects(self, transport):
        subscriber = await self.connect(transport)
        ticker = await self.connect(transport)
        await subscriber.subscribe("/tick")
        await ticker.subscribe("/demo/lazy")
        for n in range(4):
            # The lazy message takes a second: three held connects end meanwhile.
            await ticker.publish("/demo/lazy", {"n": n})
            await self.receive(ticker)
        await ticker.publish("/tick", {"still": "here"})
        self.assertEqual((await self.receive(subscriber))["data"], {"still": "here"})


if __name__ == "__main__":
    unittest.main()
