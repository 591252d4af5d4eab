import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from photofeed.embedded.stack import EmbeddedStack
from serving.pipelined_redis import PipelinedRedis

SECONDS = 5.0


@pytest.fixture
def url(stack: EmbeddedStack) -> Iterator[str]:
    address = stack.settings().redis_url.get_secret_value()
    yield address
    with redis.Redis.from_url(address) as client:
        client.delete("pipelined:one", "pipelined:two")


@asynccontextmanager
async def _pipelined(url: str, seconds: float = SECONDS) -> AsyncIterator[PipelinedRedis]:
    async with redis.asyncio.Redis.from_url(url, retry=Retry(NoBackoff(), 1)) as client:
        pipelined = PipelinedRedis(client, seconds)
        yield pipelined
        await pipelined.aclose()


def test_concurrent_calls_get_their_own_replies(url: str) -> None:
    async def ask() -> list[list[object]]:
        async with _pipelined(url) as pipelined:
            await pipelined.ask(("SET", "pipelined:one", b"\x00\r\n"), ("ZADD", "pipelined:two", 1.5, b"a", 2, b"b"))
            return list(
                await asyncio.gather(
                    pipelined.ask(("GET", "pipelined:one")),
                    pipelined.ask(("ZREVRANGE", "pipelined:two", 0, -1), ("GET", "pipelined:none")),
                    pipelined.ask(("ECHO", 7)),
                )
            )

    assert asyncio.run(ask()) == [[b"\x00\r\n"], [[b"b", b"a"], None], [b"7"]]


def test_a_refused_command_fails_its_own_call_only(url: str) -> None:
    async def ask() -> list[object]:
        async with _pipelined(url) as pipelined:
            await pipelined.ask(("SET", "pipelined:one", "text"))
            refused, answered = pipelined.ask(("SMEMBERS", "pipelined:one")), pipelined.ask(("GET", "pipelined:one"))
            return list(await asyncio.gather(refused, answered, return_exceptions=True))

    refused, answered = asyncio.run(ask())
    assert isinstance(refused, redis.ResponseError)
    assert answered == [b"text"]


def test_a_cancelled_call_leaves_no_reply_for_the_next_one(url: str) -> None:
    async def ask() -> list[object]:
        async with _pipelined(url) as pipelined:
            await pipelined.ask(("SET", "pipelined:one", "mine"))
            impatient = asyncio.create_task(pipelined.ask(("ECHO", "yours")))
            await asyncio.sleep(0)
            impatient.cancel()
            return await pipelined.ask(("GET", "pipelined:one"))

    assert asyncio.run(ask()) == [b"mine"]


def test_a_connection_that_redis_closed_is_reopened(url: str) -> None:
    async def ask() -> list[object]:
        async with _pipelined(url) as pipelined:
            (mine,) = await pipelined.ask(("CLIENT", "ID"))
            async with redis.asyncio.Redis.from_url(url) as other:
                await other.client_kill_filter(_id=mine)
            return await pipelined.ask(("ECHO", "there"))

    assert asyncio.run(ask()) == [b"there"]


def test_a_late_reply_is_never_read_as_another(url: str) -> None:
    async def ask() -> list[object]:
        async with _pipelined(url, seconds=0.1) as pipelined:
            with pytest.raises(redis.TimeoutError):
                await pipelined.ask(("BLPOP", "pipelined:none", 30))
            return await pipelined.ask(("ECHO", "mine"))

    assert asyncio.run(ask()) == [b"mine"]


def test_a_reply_that_is_late_after_others_were_in_time_is_noticed(url: str) -> None:
    """The timer of the first call serves the later ones."""

    async def ask() -> list[object]:
        async with _pipelined(url, seconds=0.1) as pipelined:
            assert await pipelined.ask(("ECHO", "in time")) == [b"in time"]
            with pytest.raises(redis.TimeoutError):
                await pipelined.ask(("BLPOP", "pipelined:none", 30))
            return await pipelined.ask(("ECHO", "mine"))

    assert asyncio.run(ask()) == [b"mine"]


def test_without_redis_every_command_fails_with_a_connection_error() -> None:
    async def ask() -> list[object]:
        async with _pipelined("redis://127.0.0.1:1/0") as pipelined:
            one, two = pipelined.ask(("ECHO", 1)), pipelined.ask(("ECHO", 2))
            return list(await asyncio.gather(one, two, return_exceptions=True))

    assert [type(error) for error in asyncio.run(ask())] == [redis.ConnectionError] * 2
