"""Signals of notifications pass from one API process to another, also through a Redis Cluster."""

import asyncio
from typing import TYPE_CHECKING, Any

from photofeed.redis_client import connect_redis_async
from photofeed.settings import Settings
from serving.notification_signals import NotificationSignals
from serving.stop_signal import StopSignal
from tests.valkey_cluster import ValkeyCluster

if TYPE_CHECKING:
    from photofeed.embedded.stack import EmbeddedStack

SECONDS = 60.0


async def _reaches_another_process(settings: Settings) -> bool:
    clients = [connect_redis_async(settings, 5.0) for _ in range(2)]
    sender, receiver = (NotificationSignals(client, StopSignal()) for client in clients)
    receiver.start()
    async with asyncio.timeout(SECONDS), receiver.watching(7) as watch, receiver.watching(8) as other:
        arrived = asyncio.create_task(watch.wait(SECONDS))
        while not arrived.done():  # what is published before the receiver has subscribed is lost
            await sender.publish([7, 9])
            await asyncio.wait([arrived], timeout=0.05)
        unconcerned = not await other.wait(0)
    await receiver.stop()
    for client in clients:
        await client.aclose()
    return unconcerned


def test_a_signal_reaches_the_streams_of_another_process(stack: "EmbeddedStack") -> None:
    assert asyncio.run(_reaches_another_process(stack.settings()))


def test_a_signal_reaches_every_node_of_a_cluster(stack: "EmbeddedStack", valkey_cluster: ValkeyCluster) -> None:
    update: dict[str, Any] = {"redis_url": type(stack.settings().redis_url)(valkey_cluster.url)}
    settings = stack.settings().model_copy(update=update)
    for _ in range(4):  # each connects to a node at random
        assert asyncio.run(_reaches_another_process(settings))
