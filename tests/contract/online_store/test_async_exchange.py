"""Replies that come late, in pieces, cut off, or to nobody: each reader gets its own rows, on every event loop."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import redis
import redis.asyncio
import uvloop
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from photofeed.online_store import FieldSpec, JoinKey, PackedReader, PackedWriter, RowSchema
from photofeed.online_store.pool import ReadyPool

POST = RowSchema("shop", "post", (JoinKey("post_id", "INT64"),), (FieldSpec("topic", "INT64", -1),))
OLDER_POST = RowSchema("shop", "post", POST.join_keys, (FieldSpec("topic", "INT64", -1), FieldSpec("likes", "FLOAT")))
IDS = np.arange(300)

Run = Callable[[Coroutine[Any, Any, None]], None]


class Relay:
    """Stands between a reader and its server, and does with replies as it is told."""

    def __init__(self, url: str) -> None:
        self.asked = asyncio.Event()  # something was sent to the server
        self.answers = asyncio.Event()  # replies pass while it is set
        self.answers.set()
        self.piece = 1 << 16  # bytes that are passed on together
        self.cut_after: int | None = None  # bytes after which a connection is cut, once
        self._server = urlsplit(url)

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection(self._server.hostname, self._server.port)
        try:
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._pass_questions(reader, server_writer))
                pumps.create_task(self._pass_answers(server_reader, writer))
        finally:
            writer.close()
            server_writer.close()

    async def _pass_questions(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            writer.write(data)
            self.asked.set()
        writer.close()

    async def _pass_answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(self.piece):
            await self.answers.wait()
            if self.cut_after is not None:
                writer.write(data[: self.cut_after])
                self.cut_after = None
                break
            writer.write(data)
            await writer.drain()
        writer.close()


@asynccontextmanager
async def relayed(url: str, **options: Any) -> AsyncIterator[tuple[Relay, redis.asyncio.Redis, PackedReader]]:
    """A relay, and a client and a reader behind it; the even ones of IDS are stored, each its own topic."""
    with redis.Redis.from_url(url) as client, client.pipeline() as pipeline:
        even = IDS[::2]
        PackedWriter(POST).write(pipeline, {"post_id": even}, {"topic": even}, even)
        pipeline.execute()
    relay = Relay(url)
    listening = await asyncio.start_server(relay.connect, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    options = dict[str, Any](socket_timeout=5, retry=Retry(NoBackoff(), 1)) | options
    pool = ReadyPool(host="127.0.0.1", port=port, max_connections=1, **options)
    async with listening, redis.asyncio.Redis.from_pool(pool) as client:
        yield relay, client, PackedReader([POST], async_client=client)


async def check(reader: PackedReader, ids: np.ndarray) -> None:
    rows = (await reader.read_async({"post_id": ids}))["post"]
    assert rows.values["topic"].tolist() == [-1 if id_ % 2 else id_ for id_ in ids.tolist()]


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    def run(test: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(test)

    return run


def test_rows_that_come_in_pieces_are_whole(run: Run, redis_url: str) -> None:
    async def test() -> None:
        async with relayed(redis_url) as (relay, _, reader):
            relay.piece = 7
            await check(reader, IDS)

    run(test())


def test_rows_of_an_earlier_layout_in_pieces_are_read_with_ours(run: Run, redis_url: str) -> None:
    async def test() -> None:
        async with relayed(redis_url) as (relay, _, reader):
            older = {"topic": np.array([5]), "likes": np.array([1.0])}
            with redis.Redis.from_url(redis_url) as other, other.pipeline() as pipeline:
                PackedWriter(OLDER_POST).write(pipeline, {"post_id": IDS[:1]}, older, IDS[:1])
                pipeline.execute()
            relay.piece = 7
            rows = (await reader.read_async({"post_id": IDS}))["post"]
            assert (rows.stale_schema, rows.values["topic"][0], rows.values["topic"][2]) == (0, 5, 2)

    run(test())


def test_a_connection_serves_the_client_and_the_reader_in_turns(run: Run, redis_url: str) -> None:
    async def test() -> None:
        async with relayed(redis_url) as (_, client, reader):
            for _ in range(3):
                await check(reader, IDS)
                assert await client.echo("between") == b"between"

    run(test())


def test_a_reply_cut_off_is_asked_for_again(run: Run, redis_url: str) -> None:
    async def test() -> None:
        async with relayed(redis_url) as (relay, _, reader):
            await check(reader, IDS)
            relay.cut_after = 100
            await check(reader, IDS[::-1])

    run(test())


def test_a_connection_lost_for_good_is_an_error(run: Run, redis_url: str) -> None:
    async def test() -> None:
        async with relayed(redis_url, retry=Retry(NoBackoff(), 0)) as (relay, _, reader):
            await check(reader, IDS)
            relay.cut_after = 100
            with pytest.raises(redis.ConnectionError, match="closed the connection"):
                await reader.read_async({"post_id": IDS})
            await check(reader, IDS[::-1])

    run(test())


@pytest.mark.parametrize("happened", ["closed by the server", "unread data", "closed by the client"])
def test_an_idle_connection_that_is_not_ready_is_opened_again(run: Run, redis_url: str, happened: str) -> None:
    async def test() -> None:
        async with relayed(redis_url, retry=Retry(NoBackoff(), 0)) as (_, client, reader):
            await check(reader, IDS)
            number = await client.client_id()
            pool: Any = client.connection_pool
            (connection,) = pool._available_connections
            before = connection._writer
            if happened == "closed by the server":
                with redis.Redis.from_url(redis_url) as other:
                    other.client_kill_filter(_id=str(number))
                assert await connection._reader.read() == b""
            elif happened == "unread data":
                connection._reader.feed_data(b"+late\r\n")
            else:
                await connection.disconnect()
            await check(reader, IDS[::-1])
            assert connection._writer is not before

    run(test())


def test_a_reply_that_comes_too_late_is_nobody_elses(run: Run, redis_url: str) -> None:
    async def test() -> None:
        async with relayed(redis_url, socket_timeout=0.5, retry=Retry(NoBackoff(), 0)) as (relay, client, reader):
            await check(reader, IDS)
            relay.answers.clear()
            with pytest.raises(redis.TimeoutError):
                await reader.read_async({"post_id": IDS})
            relay.answers.set()
            await check(reader, IDS[::-1])
            assert await client.echo("after") == b"after"

    run(test())


def test_a_reply_to_who_gave_up_is_nobody_elses(run: Run, redis_url: str) -> None:
    async def test() -> None:
        async with relayed(redis_url) as (relay, client, reader):
            await check(reader, IDS)
            relay.answers.clear()
            relay.asked.clear()
            asking = asyncio.create_task(reader.read_async({"post_id": IDS}))
            await relay.asked.wait()
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            relay.answers.set()
            await check(reader, IDS[::-1])
            assert await client.echo("after") == b"after"

    run(test())
