"""Rows that a server keeps are those in Redis, while writers change them, on one server and on a cluster."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from prometheus_client import REGISTRY

from photofeed.online_store.hot_rows import HotRows
from photofeed.online_store.keys import KeyEncoder
from photofeed.online_store.published_rows import STREAM, publish
from photofeed.online_store.reader import PackedReader, PackedView
from photofeed.online_store.schema import FieldSpec, JoinKey, RowSchema
from photofeed.online_store.writer import PackedWriter
from photofeed.redis_client import connect_redis, connect_redis_async
from photofeed.settings import Settings
from serving import hot_rows
from serving.hot_rows import StreamState, following, has_gap
from tests.doubles.module_time import patch_time
from tests.metric_values import metric
from tests.valkey_cluster import ValkeyCluster

if TYPE_CHECKING:
    from photofeed.embedded.stack import EmbeddedStack

SECONDS = 60.0
POSTS = np.arange(1, 41)
FOUND = ("hit", "miss")


@pytest.fixture(params=["server", "cluster"])
def settings(request: pytest.FixtureRequest, stack: "EmbeddedStack") -> Settings:
    own: Settings = stack.settings()
    if request.param == "server":
        return own
    cluster: ValkeyCluster = request.getfixturevalue("valkey_cluster")
    return own.model_copy(update={"redis_url": type(own.redis_url)(cluster.url)})


@pytest.fixture
def schema(request: pytest.FixtureRequest) -> RowSchema:
    """A view of this test alone."""
    fields = (FieldSpec("likes", "INT64"), FieldSpec("shares", "INT64"))
    return RowSchema("tests", request.node.name.replace(":", "-"), (JoinKey("post_id", "INT64"),), fields)


async def eventually(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110  what the condition looks at has no event
        await asyncio.sleep(0.01)


class Writer:
    """Writes rows as workers do."""

    def __init__(self, settings: Settings, schema: RowSchema) -> None:
        self.redis, self._writer = connect_redis(settings), PackedWriter(schema)

    def write(self, posts: Any, likes: int, event_us: int, *, keep_newest: bool = True) -> None:
        posts = np.atleast_1d(posts)
        values = {"likes": np.full(len(posts), likes), "shares": np.full(len(posts), likes)}
        pipeline = self.redis.pipeline(transaction=False)
        moments = np.full(len(posts), event_us)
        written = self._writer.write(pipeline, {"post_id": posts}, values, moments, moments, keep_newest=keep_newest)
        pipeline.execute()
        publish(self.redis, written)


def _reads(found: str) -> float:
    return metric("photofeed_hot_row_reads_total", found=found)


def _forgotten(reason: str) -> float:
    return metric("photofeed_hot_rows_forgotten_total", reason=reason)


class Server:
    """The reads of one server."""

    def __init__(self, reader: PackedReader, view: PackedView, rows: HotRows) -> None:
        self.reader, self.view, self.rows = reader, view, rows
        self._forgotten = {one: _forgotten(one) for one in ("gap", "connection", "damaged")}

    async def likes(self, posts: Any) -> list[int]:
        fetched = await self.reader.fetch_async({"post_id": np.atleast_1d(posts)}, [self.view])
        likes: list[int] = fetched.rows(self.view).values["likes"].tolist()
        return likes

    async def until(self, posts: Any, expected: list[int]) -> None:
        """Read until the rows are the expected ones."""
        while await self.likes(posts) != expected:
            pass

    async def until_current(self, *, current: bool = True) -> None:
        await eventually(lambda: self.rows.is_current is current)

    async def until_forgotten(self, reason: str) -> None:
        """Until the rows were forgotten for this reason, and for no other, and each time was counted."""
        await eventually(lambda: reason in self.rows.forgotten)
        await eventually(lambda: self._counted() == self.rows.forgotten)
        assert set(self.rows.forgotten) == {reason}

    def _counted(self) -> dict[str, int]:
        """Reason -> how often the rows were forgotten since the server began, by the metric."""
        counts = {one: int(_forgotten(one) - before) for one, before in self._forgotten.items()}
        return {one: count for one, count in counts.items() if count}

    @property
    def hits(self) -> int:
        return sum(table.reads.hits for table in self.rows.tables.values())


@asynccontextmanager
async def serving(settings: Settings, schema: RowSchema, capacity: int = 1_000) -> AsyncIterator[Server]:
    reader = PackedReader([], async_client=connect_redis_async(settings, 5.0))
    rows = reader.keep([schema], capacity)
    async with asyncio.timeout(SECONDS), following(settings, rows):
        server = Server(reader, reader.view(schema), rows)
        await server.until_current()
        yield server
    await reader.aclose()


def test_rows_are_kept_and_follow_their_writers(settings: Settings, schema: RowSchema) -> None:
    async def check() -> None:
        writer, reads = Writer(settings, schema), [_reads(one) for one in FOUND]
        writer.write(POSTS, 1, event_us=1)
        async with serving(settings, schema) as server:
            assert await server.likes([*POSTS, 99]) == [1] * len(POSTS) + [0]
            hits = server.hits
            assert await server.likes([*POSTS, 99]) == [1] * len(POSTS) + [0]
            assert server.hits == hits + len(POSTS) + 1
            await eventually(lambda: metric("photofeed_hot_rows") == len(POSTS) + 1)
            expected = [len(POSTS) + 1] * 2
            await eventually(lambda: [_reads(one) - n for one, n in zip(FOUND, reads, strict=True)] == expected)
            writer.write([3, 99], 7, event_us=2)
            await server.until([2, 3, 99], [1, 7, 7])
            writer.write([3], 5, event_us=1)  # older: the store keeps what it has
            writer.write([4], 8, event_us=3)
            await server.until([3, 4], [7, 8])
            writer.write([3], 5, event_us=1, keep_newest=False)  # replaced, as a backfill does
            await server.until([3, 4], [5, 8])
            found = [
                sum(getattr(one.reads, kind) for one in server.rows.tables.values()) for kind in ("hits", "misses")
            ]
            await eventually(lambda: [_reads(one) - n for one, n in zip(FOUND, reads, strict=True)] == found)

    asyncio.run(check())


def _lag() -> tuple[float, float]:
    """How many entries were applied, and the sum of their lags in seconds."""
    count, total = (REGISTRY.get_sample_value(f"photofeed_hot_rows_lag_seconds_{one}") for one in ("count", "sum"))
    return count or 0.0, total or 0.0


def test_the_time_until_rows_are_applied_is_measured(
    settings: Settings, schema: RowSchema, monkeypatch: pytest.MonkeyPatch
) -> None:
    minute = 60.0
    patch_time(monkeypatch, hot_rows, time=lambda: time.time() + minute)  # a server whose clock is ahead

    async def check() -> None:
        writer = Writer(settings, schema)
        async with serving(settings, schema) as server:
            count, total = _lag()
            for likes in (1, 2, 3):
                writer.write([3], likes, event_us=likes)
                await server.until([3], [likes])
            await eventually(lambda: _lag()[0] >= count + 3)
        assert 3 * (minute - 1) < _lag()[1] - total < 1_000

    asyncio.run(check())


def test_one_request_takes_kept_rows_and_reads_the_others(settings: Settings, schema: RowSchema) -> None:
    async def check() -> None:
        of_person = replace(schema, join_keys=(JoinKey("user_id", "INT64"), *schema.join_keys))
        writer = Writer(settings, schema)
        writer.write(POSTS, 1, event_us=1)
        pipeline = writer.redis.pipeline(transaction=False)
        values = {"likes": POSTS, "shares": POSTS}
        people = np.full(len(POSTS), 5)
        PackedWriter(of_person).write(pipeline, {"user_id": people, "post_id": POSTS}, values, POSTS)
        pipeline.execute()
        async with serving(settings, schema) as server:
            for posts in (POSTS[:20], POSTS[:20], POSTS):  # all are read, all are kept, half of them are
                own, entities = server.reader.view(of_person), {"user_id": np.array([5]), "post_id": posts}
                fetched = await server.reader.fetch_async(entities, [own, server.view])
                assert fetched.rows(server.view).values["likes"].tolist() == [1] * len(posts)
                assert fetched.rows(own).values["likes"].tolist() == posts.tolist()
            assert server.hits == 40

    asyncio.run(check())


@pytest.mark.parametrize("capacity", [7, 1_000])
def test_rows_equal_a_direct_read_after_concurrent_writes(settings: Settings, schema: RowSchema, capacity: int) -> None:
    async def check() -> None:
        async with serving(settings, schema, capacity) as server:
            done = asyncio.Event()

            async def read(seed: int) -> None:
                rng = np.random.default_rng(seed)
                while not done.is_set():
                    await server.likes(rng.choice(POSTS, 5))

            def write(seed: int) -> None:
                rng, writer = np.random.default_rng(seed), Writer(settings, schema)
                for moment in range(1, 200):
                    writer.write(np.unique(rng.choice(POSTS, 4)), 10 * moment + seed, event_us=2 * moment + seed)

            async with asyncio.TaskGroup() as group:
                for seed in range(3):
                    group.create_task(read(seed))
                await asyncio.gather(*(asyncio.to_thread(write, seed) for seed in range(2)))
                done.set()
            direct = PackedReader([schema], client=connect_redis(settings)).read({"post_id": POSTS})[schema.view]
            await server.until(POSTS, direct.values["likes"].tolist())
            assert server.hits

    asyncio.run(check())


def test_a_stream_that_was_cut_forgets_the_rows(settings: Settings, schema: RowSchema) -> None:
    async def check() -> None:
        writer = Writer(settings, schema)
        writer.write(POSTS, 1, event_us=1)
        async with serving(settings, schema) as server:
            await server.likes(POSTS)
            pipeline = writer.redis.pipeline(transaction=False)
            pipeline.delete(STREAM)
            pipeline.execute()
            writer.write([1], 2, event_us=2)
            await server.until_forgotten("gap")
            await server.until([1, 2], [2, 1])

    asyncio.run(check())


def test_a_stream_that_was_removed_forgets_the_rows(settings: Settings, schema: RowSchema) -> None:
    async def check() -> None:
        writer = Writer(settings, schema)
        writer.write(POSTS, 1, event_us=1)
        async with serving(settings, schema) as server:
            await server.likes(POSTS)
            key = KeyEncoder(schema).encode({"post_id": POSTS[:1]})[0]
            writer.redis.delete(key)  # as a flush does, over a connection that stays
            writer.redis.delete(STREAM)
            await server.until_forgotten("gap")
            await server.until([1, 2], [0, 1])

    asyncio.run(check())


@pytest.mark.parametrize(
    ("at", "count", "state", "gap"),
    [
        (b"0-0", 0, None, False),
        (b"5-0", 0, None, True),
        (b"0-0", 2, StreamState(b"5-0", b"6-0", 2), False),
        (b"0-0", 2, StreamState(b"5-0", b"6-0", 9), True),
        (b"5-0", 1, StreamState(b"5-0", b"6-0", 9), False),
        (b"5-0", 1, StreamState(b"4-7", b"6-0", 9), False),
        (b"5-0", 1, StreamState(b"5-1", b"6-0", 9), True),
        (b"5-0", 0, StreamState(b"3-0", b"4-0", 2), True),
        (b"10-0", 0, StreamState(b"9-0", b"10-0", 2), False),
    ],
)
def test_gaps_are_seen_by_the_ends_of_the_stream(at: bytes, count: int, state: StreamState | None, gap: bool) -> None:
    assert has_gap(at, count, state) is gap


def test_an_entry_that_cannot_be_read_forgets_the_rows(settings: Settings, schema: RowSchema) -> None:
    async def check() -> None:
        writer = Writer(settings, schema)
        writer.write(POSTS, 1, event_us=1)
        async with serving(settings, schema) as server:
            await server.likes(POSTS)
            writer.redis.execute_command("XADD", STREAM, "*", "view", "only", "ids", "odd")
            await server.until_forgotten("damaged")
            assert await server.likes([1]) == [1]
            await server.until_current()

    asyncio.run(check())


@pytest.mark.parametrize("settings", ["server"], indirect=True)
def test_rows_come_from_redis_while_the_stream_is_away(
    settings: Settings, schema: RowSchema, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> Any:
        raise ConnectionError("no route to the server")

    async def check() -> None:
        writer = Writer(settings, schema)
        writer.write(POSTS, 1, event_us=1)
        async with serving(settings, schema) as server:
            await server.likes(POSTS)
            monkeypatch.setattr(hot_rows, "server_of_key", away)
            writer.redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            await server.until_forgotten("connection")
            hits = server.hits
            assert await server.likes(POSTS) == [1] * len(POSTS)
            assert await server.likes(POSTS) == [1] * len(POSTS)
            assert server.hits == hits
            monkeypatch.undo()
            await server.until_current()

    asyncio.run(check())
