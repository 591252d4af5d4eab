"""Clients of Redis when a connection is lost while a command waits for its reply."""

import asyncio
import re
from collections.abc import Callable

import pytest
import redis

from photofeed.redis_client import connect_redis, connect_redis_async, server_of_key, subscription
from photofeed.settings import Settings

_COMMAND = re.compile(rb"\*\d+\r\n")


class _Redis:
    """Answers the first commands of a connection, and closes it at a GET as often as a test says."""

    def __init__(self, lost: int) -> None:
        self.lost = lost
        self.gets = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        while received := await reader.read(65_536):
            if b"GET" in received:
                self.gets += 1
                if self.gets <= self.lost:
                    break
                writer.write(b"$5\r\nvalue\r\n")
            else:
                writer.write(b"+OK\r\n" * len(_COMMAND.findall(received)))
        writer.close()


async def _get(server: _Redis) -> object:
    async with await asyncio.start_server(server, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        async with connect_redis_async(
            Settings.model_validate({"redis_url": f"redis://127.0.0.1:{port}"}), 5
        ) as client:
            return await client.get("key")


def test_a_command_whose_connection_was_lost_is_sent_again() -> None:
    server = _Redis(lost=1)
    assert asyncio.run(_get(server)) == b"value"
    assert server.gets == 2


def test_a_command_is_not_sent_a_third_time() -> None:
    server = _Redis(lost=2)
    with pytest.raises(redis.ConnectionError):
        asyncio.run(_get(server))
    assert server.gets == 2


def _connect(settings: Settings) -> None:
    connect_redis(settings)


def _find_server(settings: Settings) -> None:
    async def find() -> None:
        async with server_of_key(settings, "key", 1.0):
            pytest.fail("there is no server")

    asyncio.run(find())


def _subscribe(settings: Settings) -> None:
    async def subscribe() -> None:
        client = connect_redis_async(settings, 1.0)
        try:
            async with subscription(client, "channel"):
                pytest.fail("there is no server")
        finally:
            await client.aclose()

    asyncio.run(subscribe())


@pytest.mark.parametrize("ask", [_connect, _find_server, _subscribe])
def test_a_cluster_that_is_away_is_a_lost_connection(ask: Callable[[Settings], None]) -> None:
    """Workers wait and try again after an error of the connection, and end with any other."""
    settings = Settings.model_validate({"redis_url": "redis+cluster://127.0.0.1:1"})  # nobody listens there
    with pytest.raises(redis.ConnectionError, match="no node of the Redis Cluster answers"):
        ask(settings)
