"""The serving process's read: all views in one round trip, columns of numpy out, no Feast."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import redis
import redis.asyncio
from numpy.typing import NDArray
from redis.asyncio.cluster import RedisCluster as AsyncRedisCluster
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.cluster import RedisCluster
from redis.retry import Retry

from photofeed.online_store.cluster import ClusterRead, read_cluster, read_cluster_async
from photofeed.online_store.codec import DecodedRows, RowCodec, timestamps
from photofeed.online_store.exchange import exchange, exchange_async
from photofeed.online_store.keys import KeyEncoder
from photofeed.online_store.replies import RowShape
from photofeed.online_store.schema import RowSchema


@dataclass(frozen=True, slots=True)
class ViewRows:
    """One view's features for the n entities asked for, in their order.

    Attributes:
        values: (n,) structured, one field per fixed-width feature; declared defaults where a value is missing or null.
        event_timestamp: (n,) int64, microseconds since 1970 UTC; 0 where there is no row.
        found: (n,) bool, whether a readable row was stored.
        stale_schema: distinct entities whose rows another version of the view wrote; they count as not found.
    """

    values: NDArray[np.void]
    event_timestamp: NDArray[np.int64]
    found: NDArray[np.bool_]
    stale_schema: int


class PackedReader:
    """Reads the rows of several views in one round trip. Safe to share between threads, and across a fork.

    Args:
        schemas: one per view.
        client: for `read`; its pool, timeouts and retries apply.
        async_client: for `read_async`.
        strict: raise SchemaMismatchError on rows of another schema instead of counting them as not found.
    """

    def __init__(
        self,
        schemas: Sequence[RowSchema],
        *,
        client: redis.Redis | RedisCluster | None = None,
        async_client: redis.asyncio.Redis | AsyncRedisCluster | None = None,
        strict: bool = False,
    ) -> None:
        self._views = {schema.view: _View(schema, strict=strict) for schema in schemas}
        self._client = client
        self._async_client = async_client

    @classmethod
    def from_url(
        cls,
        url: str,
        schemas: Sequence[RowSchema],
        *,
        timeout_seconds: float = 0.5,
        strict: bool = False,
        cluster: bool = False,
    ) -> Self:
        """A reader with clients of its own; a failed read is tried once more, at once.

        `cluster`: the URL is that of any node of a Redis Cluster, which is asked for the others at once. A single
        server is connected to on first use.
        """
        limits: dict[str, Any] = {"socket_timeout": timeout_seconds, "socket_connect_timeout": timeout_seconds}
        if cluster:
            return cls(
                schemas,
                client=RedisCluster.from_url(url, retry=Retry(NoBackoff(), 1), **limits),
                async_client=AsyncRedisCluster.from_url(url, retry=AsyncRetry(NoBackoff(), 1), **limits),
                strict=strict,
            )
        return cls(
            schemas,
            client=redis.Redis.from_url(url, retry=Retry(NoBackoff(), 1), **limits),
            async_client=redis.asyncio.Redis.from_url(url, retry=AsyncRetry(NoBackoff(), 1), **limits),
            strict=strict,
        )

    def read(self, entities: Mapping[str, NDArray[Any]], views: Iterable[str] | None = None) -> dict[str, ViewRows]:
        """Features by view name.

        Args:
            entities: a column per join key, all of length n; a column of length 1 stands for all rows, and a view
                whose columns all have length 1, or that has no join keys, comes back with one row.
            views: which of the views to read; all of them where it is not given.

        Raises:
            KeyError: a join key's column is missing, or a view is unknown.
            SchemaMismatchError: `strict`, and rows of another schema were met.
            redis.RedisError: the store cannot be reached in time.
        """
        if self._client is None:
            raise RuntimeError("PackedReader was made without a client; give one, or await read_async")
        request = self._request(entities, views)
        if not request.keys:
            return request.columns([view.nothing for view in request.views])
        if isinstance(self._client, RedisCluster):
            return request.columns(read_cluster(self._client, request.cluster_read))
        return request.columns(exchange(self._client, request.command, request.asked).rows())

    async def read_async(
        self, entities: Mapping[str, NDArray[Any]], views: Iterable[str] | None = None
    ) -> dict[str, ViewRows]:
        """`read`, without blocking the event loop."""
        if self._async_client is None:
            raise RuntimeError("PackedReader was made without an async_client; give one, or call read")
        request = self._request(entities, views)
        if not request.keys:
            return request.columns([view.nothing for view in request.views])
        if isinstance(self._async_client, AsyncRedisCluster):
            return request.columns(await read_cluster_async(self._async_client, request.cluster_read))
        return request.columns((await exchange_async(self._async_client, request.command, request.asked)).rows())

    def close(self) -> None:
        """Close the sync client's connections."""
        if isinstance(self._client, RedisCluster):
            # close() forgets those of nodes met twice
            self._client.disconnect_connection_pools()  # type: ignore[no-untyped-call]
        if self._client is not None:
            self._client.close()

    async def aclose(self) -> None:
        """Close the async client's connections, and the sync client's."""
        self.close()
        if self._async_client is not None:
            await self._async_client.aclose()

    def _request(self, entities: Mapping[str, NDArray[Any]], views: Iterable[str] | None) -> "_Request":
        wanted = self._views if views is None else views
        return _Request([self._views[name] for name in wanted], entities)


@dataclass(frozen=True, slots=True)
class _Picked:
    """The distinct entities of one view: their key columns, and for each row asked for which of them it is.

    `inverse` is None where every row is an entity of its own, in order.
    """

    columns: dict[str, NDArray[Any]]
    count: int
    inverse: NDArray[np.intp] | None


class _Request:
    """One MGET command for the distinct entities of all views."""

    def __init__(self, views: Sequence["_View"], entities: Mapping[str, NDArray[Any]]) -> None:
        self.views = views
        names = {key.name for view in views for key in view.schema.join_keys}
        distinct = {name: _distinct(np.asarray(entities[name])) for name in names}
        self.picked = [_pick([key.name for key in view.schema.join_keys], distinct) for view in views]
        self.asked = [(view.shape, picked.count) for view, picked in zip(views, self.picked, strict=True)]
        self.keys = sum(picked.count for picked in self.picked)

    @property
    def command(self) -> bytes:
        """The command as bytes."""
        arguments = [
            view.keys.encode_bulk(picked.columns) for view, picked in zip(self.views, self.picked, strict=True)
        ]
        return b"".join([b"*%d\r\n$4\r\nMGET\r\n" % (self.keys + 1), *arguments])

    @property
    def cluster_read(self) -> ClusterRead:
        """The same as keys, for a cluster."""
        keys = [view.keys.encode(picked.columns) for view, picked in zip(self.views, self.picked, strict=True)]
        return ClusterRead(keys, [view.shape for view in self.views])

    def columns(self, decoded: Sequence[DecodedRows]) -> dict[str, ViewRows]:
        """The columns of each view, from the rows of its distinct entities."""
        return {
            view.schema.view: view.columns(rows, picked.inverse)
            for view, picked, rows in zip(self.views, self.picked, decoded, strict=True)
        }


class _View:
    """How one view's keys are made and its values become columns."""

    def __init__(self, schema: RowSchema, *, strict: bool) -> None:
        self.schema = schema
        self.keys = KeyEncoder(schema)
        self._codec = RowCodec(schema, strict=strict)
        self.shape = RowShape(self._codec)
        self.nothing = DecodedRows(np.empty(0, self._codec.dtype), np.empty(0, np.bool_), 0)
        self._default = self._codec.default_row()
        self._opaque = np.dtype((np.void, self._codec.dtype.itemsize))

    def columns(self, decoded: DecodedRows, inverse: NDArray[np.intp] | None) -> ViewRows:
        # moved as opaque items, one memcpy each: numpy copies structured ones field by field, 30 times slower
        rows, found = decoded.rows.view(self._opaque), decoded.found
        if len(rows) == len(found):
            slots = inverse
        else:
            rows = np.concatenate([rows, self._default.view(self._opaque)])
            slots = np.where(found, np.cumsum(found) - 1, len(rows) - 1)
            slots = slots if inverse is None else slots[inverse]
        if slots is not None:
            rows = rows.take(slots)
        elif not rows.flags.writeable:
            rows = rows.copy()
        complete = rows.view(self._codec.dtype)
        self._codec.fill_nulls(complete)
        everywhere = found if inverse is None else found[inverse]
        return ViewRows(complete["values"], timestamps(complete["event"]), everywhere, decoded.stale)


def _distinct(column: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.intp] | None]:
    """The distinct values of a column, and for each row which it has; None: all differ, and keep their order."""
    if len(column) < 2:  # noqa: PLR2004
        return column, None
    ordered = np.sort(column)
    differs = ordered[1:] != ordered[:-1]
    if differs.all():
        return column, None
    # np.unique would sort once more, by argsort, which is ten times slower
    values = np.concatenate((ordered[:1], ordered[1:][differs]))
    return values, np.searchsorted(values, column)


def _pick(names: Sequence[str], distinct: Mapping[str, tuple[NDArray[Any], NDArray[np.intp] | None]]) -> _Picked:
    """The distinct combinations of several key columns, from the distinct values of each."""
    # a column of one row stands for all rows: it makes no combinations of its own
    several = [name for name in names if _length(distinct[name]) != 1]
    if not several:
        return _Picked({name: distinct[name][0] for name in names}, 1, None)
    values, inverse = distinct[several[0]]
    positions = {several[0]: np.arange(len(values))}
    if len(several) > 1:
        code = np.arange(len(values)) if inverse is None else inverse
        for name in several[1:]:
            others, which = distinct[name]
            code = code * len(others) + (np.arange(len(others)) if which is None else which)
        combinations, inverse = np.unique(code, return_inverse=True)
        rest = combinations
        for name in reversed(several):
            rest, positions[name] = np.divmod(rest, max(len(distinct[name][0]), 1))
    count = len(positions[several[0]])
    columns = {
        name: distinct[name][0][positions[name]] if name in positions else np.repeat(distinct[name][0], count)
        for name in names
    }
    return _Picked(columns, count, inverse)


def _length(distinct: tuple[NDArray[Any], NDArray[np.intp] | None]) -> int:
    values, inverse = distinct
    return len(values) if inverse is None else len(inverse)
