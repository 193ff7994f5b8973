"""Refusals reach the Python client as server errors with the protocol's error strings."""

import unittest

from aiocometd_ng.exceptions import ServerError
from scene import Scene, over_every_transport


class Denied(Scene):
    @over_every_transport
    async def test_subscribing_to_a_channel_that_may_not_be_created_is_refused(self, transport):
        client = await self.connect(transport)
        with self.assertRaises(ServerError) as refusal:
            await client.subscribe("/demo/denied")
        self.assertEqual(refusal.exception.error, "403:denied_by_security_policy:create_denied")
        self.assertEqual(refusal.exception.error_code, 403)

    @over_every_transport
    async def test_publishing_to_a_channel_that_may_not_be_created_is_refused(self, transport):
        client = await self.connect(transport)
        with self.assertRaises(ServerError) as refusal:
            await client.publish("/demo/denied", {})
        self.assertEqual(
            refusal.exception.error, "403:denied_by_security_policy:channel_create_denied"
        )

    @over_every_transport
    async def test_publishing_to_a_read_only_channel_is_refused(self, transport):
        client = await self.connect(transport)
        with self.assertRaises(ServerError) as refusal:
            await client.publish("/demo/readonly", {})
        self.assertRegex(refusal.exception.error, "^403:[^:]+:publish_denied$")
        await client.subscribe("/allowed")
        await client.publish("/allowed", {"still": "here"})
        self.assertEqual((await self.receive(client))["data"], {"still": "here"})


if __name__ == "__main__":
    unittest.main()
