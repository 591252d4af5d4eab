"""Keeps the rows of posts and their authors in the process, by following what writers publish in Redis.

The table of rows and its rules are in photofeed/online_store/hot_rows.py. A lost connection, a stream that was cut or
removed before it was read and an entry that cannot be read forget the rows; while Redis is silent, requests read Redis.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self

import redis
import structlog
from prometheus_client import Counter, Gauge, Histogram
from redis.exceptions import RedisError

from photofeed.online_store.hot_rows import HotRows
from photofeed.online_store.published_rows import STREAM, PublishedRows, published_rows
from photofeed.redis_client import server_of_key
from photofeed.settings import Settings

log = structlog.get_logger(__name__)

READS = Counter(
    "photofeed_hot_row_reads", "Rows of posts and authors that feeds took, by where they were found", ["found"]
)
ROWS = Gauge("photofeed_hot_rows", "Rows that servers keep", multiprocess_mode="livesum")
FORGOTTEN = Counter("photofeed_hot_rows_forgotten", "Times that kept rows were forgotten, by reason", ["reason"])
LAG = Histogram(
    "photofeed_hot_rows_lag_seconds",
    "Time from the publication of rows until a server had applied them, by the clocks of Redis and the server",
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10),
)

_BLOCK_MS = 200
_MOST_ENTRIES = 200
_AGAIN_SECONDS = 0.2
_REPLY_SECONDS = 2.0
_START = b"0-0"
_GAP, _CONNECTION, _DAMAGED = "gap", "connection", "damaged"


@asynccontextmanager
async def following(settings: Settings, rows: HotRows) -> AsyncIterator[None]:
    """Follow the stream while the context is open, if any rows are kept."""
    follower = _Follower(settings, rows)
    task = asyncio.create_task(follower.follow()) if rows.tables else None
    try:
        yield
    finally:
        follower.is_stopped = True
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


class _Follower:
    """Reads the stream until `is_stopped`: redis-py may answer a cancellation with an error of the connection."""

    def __init__(self, settings: Settings, rows: HotRows) -> None:
        self._settings, self._rows = settings, rows
        self._seen = {"hit": 0, "miss": 0}
        self._forgotten: dict[str, int] = {}
        self.is_stopped = False

    async def follow(self) -> None:
        while not self.is_stopped:
            try:
                async with server_of_key(self._settings, STREAM, _REPLY_SECONDS) as server:
                    await self._read(server)
            except (RedisError, OSError, TimeoutError) as error:
                log.warning("hot rows are read from Redis: the stream cannot be followed", error=repr(error))
                self._rows.forget(_CONNECTION)
            except Exception as error:  # noqa: BLE001  whatever the stream contains, rows can be read from Redis
                log.error("hot rows are read from Redis: an entry of the stream cannot be read", error=repr(error))
                self._rows.forget(_DAMAGED)
            self._observe()
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _read(self, server: Any) -> None:
        """Apply what is published from now on.

        Raises:
            RedisError: Redis does not answer, or the connection was replaced.
            ValueError: an entry cannot be read.
        """
        connection = await server.client_id()
        newest = await server.xrevrange(STREAM, count=1)
        at = newest[0][0] if newest else _START
        self._rows.confirm()
        while not self.is_stopped:
            pipeline = server.pipeline(transaction=False)
            pipeline.client_id().xread({STREAM: at}, count=_MOST_ENTRIES, block=_BLOCK_MS).xinfo_stream(STREAM)
            now, replies, stream = await pipeline.execute(raise_on_error=False)
            for failed in (now, replies):
                if isinstance(failed, Exception):
                    raise failed
            if now != connection:  # the server may have lost entries meanwhile
                raise redis.ConnectionError("the connection was replaced")
            entries: list[tuple[bytes, dict[bytes, bytes]]] = replies[0][1] if replies else []
            state = None if isinstance(stream, Exception) else StreamState.of(stream)
            if has_gap(at, len(entries), state):
                log.warning("hot rows are forgotten: entries of the stream were removed before they were read")
                self._rows.forget(_GAP)
                at = state.last if state else _START
            elif entries:
                self._apply(entries)
                at = entries[-1][0]
            if len(entries) < _MOST_ENTRIES:
                self._rows.confirm()
            self._observe()

    def _apply(self, entries: list[tuple[bytes, dict[bytes, bytes]]]) -> None:
        written: list[PublishedRows] = [published_rows(fields) for _, fields in entries]
        self._rows.apply(written)
        now_ms = time.time() * 1000
        for name, _ in entries:
            LAG.observe(max(now_ms - _milliseconds(name), 0.0) / 1000)

    def _observe(self) -> None:
        """Add to the metrics what has happened since the last time."""
        tables = list(self._rows.tables.values())
        found = {"hit": sum(table.reads.hits for table in tables), "miss": sum(table.reads.misses for table in tables)}
        for name, count in found.items():
            READS.labels(name).inc(count - self._seen[name])
        for reason, count in self._rows.forgotten.items():
            FORGOTTEN.labels(reason).inc(count - self._forgotten.get(reason, 0))
        self._seen, self._forgotten = found, dict(self._rows.forgotten)
        ROWS.set(sum(map(len, tables)))


@dataclass(frozen=True, slots=True)
class StreamState:
    """What a stream says of itself after a read: its first and last entry, and how many there have been."""

    first: bytes
    last: bytes
    added: int

    @classmethod
    def of(cls, about: dict[str, Any]) -> Self:
        """The state in a reply to XINFO STREAM."""
        oldest = about["first-entry"]
        return cls(oldest[0] if oldest else _START, about["last-generated-id"], about["entries-added"])


def has_gap(at: bytes, count: int, state: StreamState | None) -> bool:
    """Whether entries behind `at`, of which `count` were read, may have been removed.

    An entry that is not after `at` proves that nothing behind it was removed. `state` is None without a stream.
    """
    if state is None:
        return at != _START
    if at == _START:
        return state.added != count
    return _order(state.last) < _order(at) or _order(state.first) > _order(at)


def _order(name: bytes) -> tuple[int, int]:
    milliseconds, _, sequence = name.partition(b"-")
    return int(milliseconds), int(sequence)


def _milliseconds(name: bytes) -> int:
    return _order(name)[0]
