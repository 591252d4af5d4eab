"""The read of a serving process: all views in one round trip, as numpy columns, without Feast."""

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Self

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
from photofeed.online_store.codec import RowCodec, StoredRows
from photofeed.online_store.column_kernel import warm_columns
from photofeed.online_store.columns import RowColumns
from photofeed.online_store.exchange import MGET_KEYS, exchange, exchange_async
from photofeed.online_store.hot_kernel import warm_table
from photofeed.online_store.hot_rows import HotRows, HotTable, TakenRows
from photofeed.online_store.kernel import warm
from photofeed.online_store.keys import DistinctKeys, KeyEncoder, integers, view_tag
from photofeed.online_store.layouts import LayoutTable, layouts_key, registered_layouts
from photofeed.online_store.pool import ReadyPool
from photofeed.online_store.published_rows import is_published
from photofeed.online_store.replies import RowShape
from photofeed.online_store.schema import JoinKey, RowSchema, SchemaMismatchError


@dataclass(frozen=True, slots=True)
class ViewRows:
    """One view's features of the n requested entities, in their order.

    Attributes:
        values: (n,) structured, one field per fixed-width feature; the declared default if a value is missing or null.
        event_timestamp: (n,) int64, microseconds since 1970 UTC; 0 if there is no row.
        found: (n,) bool, whether a readable row was stored.
        stale_schema: number of distinct entities whose rows have a layout that no writer registered; they count as not
            found.
        defaulted: (fields of the schema,) how many of the n values of each field are defaults.
    """

    values: NDArray[np.void]
    event_timestamp: NDArray[np.int64]
    found: NDArray[np.bool_]
    stale_schema: int
    defaulted: NDArray[np.int64]


RELEARN_SECONDS: Final = 1.0
"""How long a reader waits before it asks again for the layout of rows that no writer has registered."""


class StoredView:
    """The stored rows of one view: the layouts that they are known to have, and their shape on the wire."""

    def __init__(self, schema: RowSchema) -> None:
        self.layouts_key = layouts_key(schema)
        self.shape = RowShape(LayoutTable([schema]))
        self.hot: HotTable | None = None
        self._schema = schema
        self._asked = -math.inf

    def learn(self, schemas: Sequence[RowSchema]) -> None:
        """Read rows of these layouts, too."""
        table = self.shape.table.with_schemas(schemas)
        if table is not self.shape.table:
            self.shape = RowShape(table)

    def may_learn(self) -> bool:
        """Whether to look up layouts now."""
        return time.monotonic() - self._asked >= RELEARN_SECONDS

    def note(self, registered: Mapping[bytes, bytes]) -> None:
        """Learn the registered layouts."""
        self._asked = time.monotonic()
        self.learn(registered_layouts(self._schema, registered))


class PackedView:
    """One view as a caller wants it: its schema, key encoder and row codec, and the stored rows that it is read from.

    Make it by `PackedReader.view`.
    """

    def __init__(self, schema: RowSchema, stored: StoredView) -> None:
        self.schema = schema
        self.keys = KeyEncoder(schema)
        self.codec = RowCodec(schema)
        self.stored = stored


class PackedReader:
    """Reads the rows of several views in one round trip. Safe to share between threads, and across a fork.

    Rows of any layout that a writer has registered are read, field by field: a field that a row's layout lacks has its
    default. Schemas of one view that differ in their fields read the same rows, which are transferred once.

    Args:
        schemas: of `read` and `read_async`, one per view.
        client: for `read`; its pool, timeouts and retries apply.
        async_client: for `read_async`.
        strict: raise SchemaMismatchError on rows of an unknown layout instead of counting them as not found.
    """

    def __init__(
        self,
        schemas: Sequence[RowSchema],
        *,
        client: redis.Redis | RedisCluster | None = None,
        async_client: redis.asyncio.Redis | AsyncRedisCluster | None = None,
        strict: bool = False,
    ) -> None:
        warm()
        warm_columns()
        self._strict = strict
        self._made: dict[RowSchema, PackedView] = {}
        self._stored: dict[tuple[str, tuple[JoinKey, ...]], StoredView] = {}
        self._views = {schema.view: self.view(schema) for schema in schemas}
        self._client = client
        self._async_client = async_client
        self._hot = HotRows({})

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
        """A reader with clients of its own; a failed read is retried once, immediately.

        `cluster`: the URL is that of any node of a Redis Cluster, and the reader connects to it now to learn of the
        other nodes. To a single server it connects on first use.
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
            async_client=redis.asyncio.Redis.from_pool(
                ReadyPool.from_url(url, retry=AsyncRetry(NoBackoff(), 1), **limits)
            ),
            strict=strict,
        )

    def read(self, entities: Mapping[str, NDArray[Any]], views: Iterable[str] | None = None) -> dict[str, ViewRows]:
        """Features by view name.

        Args:
            entities: a column per join key, of length n, or of length 1 if all rows share the value. A view whose
                columns all have length 1, or that has no join keys, is returned with one row.
            views: names of the views to read; all of them unless given.

        Raises:
            KeyError: a join key's column is missing, or a view is unknown.
            SchemaMismatchError: `strict` is set and rows have an unknown layout.
            redis.RedisError: the store does not answer in time.
        """
        wanted = self._wanted(views)
        fetched = self.fetch(entities, wanted)
        return {view.schema.view: fetched.rows(view) for view in wanted}

    async def read_async(
        self, entities: Mapping[str, NDArray[Any]], views: Iterable[str] | None = None
    ) -> dict[str, ViewRows]:
        """`read`, without blocking the event loop."""
        wanted = self._wanted(views)
        fetched = await self.fetch_async(entities, wanted)
        return {view.schema.view: fetched.rows(view) for view in wanted}

    def view(self, schema: RowSchema) -> PackedView:
        """A view for `fetch`, the same one for equal schemas."""
        known = self._made.get(schema)
        if known is not None:
            return known
        stored = self._stored.setdefault((layouts_key(schema), schema.join_keys), StoredView(schema))
        stored.learn([schema])
        return self._made.setdefault(schema, PackedView(schema, stored))

    def keep(self, schemas: Iterable[RowSchema], capacity: int) -> HotRows:
        """Keep up to `capacity` rows of each of these views for `fetch_async`, as hot_rows.py describes.

        The caller passes on what writers publish, and confirms that it has. One event loop may read.

        Raises:
            ValueError: rows of a view are not published, or the capacity is below 1.
        """
        warm_table()
        tables = {}
        for schema in schemas:
            if not is_published(schema):
                raise ValueError(f"rows of feature view {schema.view!r} are not published: they cannot be kept")
            stored = self.view(schema).stored
            stored.hot = HotTable(capacity, stored.shape.table)
            tables[view_tag(schema.project, schema.view)] = stored.hot
        self._hot = HotRows(tables)
        return self._hot

    def fetch(self, entities: Mapping[str, NDArray[Any]], views: Iterable[PackedView]) -> "FetchedRows":
        """The rows that several views read, in one round trip; views of the same rows transfer them once.

        Args and errors as for `read`.
        """
        client = self._client
        if client is None:
            raise RuntimeError("this PackedReader has no client: pass one, or use read_async")
        request = self._request(entities, views)
        if request.asked:
            request.receive(self._exchange(client, request))
            if unknown := self._unknown(request):
                for view in unknown:
                    registered: Any = client.hgetall(view.layouts_key)
                    view.note(registered)
                request = self._request(entities, views)
                request.receive(self._exchange(client, request))
        return request.fetched(strict=self._strict)

    async def fetch_async(self, entities: Mapping[str, NDArray[Any]], views: Iterable[PackedView]) -> "FetchedRows":
        """`fetch`, without blocking the event loop. Rows that are kept are not transferred."""
        client: Any = self._async_client
        if client is None:
            raise RuntimeError("this PackedReader has no async_client: pass one, or use read")
        request = self._request(entities, views, use_hot=self._hot.is_current)
        if request.asked:
            request.receive(await self._exchange_async(client, request))
            if unknown := self._unknown(request):
                for view in unknown:
                    view.note(await client.hgetall(view.layouts_key))
                request = self._request(entities, views, use_hot=False)
                request.receive(await self._exchange_async(client, request))
        return request.fetched(strict=self._strict)

    def close(self) -> None:
        """Close the sync client's connections."""
        if isinstance(self._client, RedisCluster):
            # close() misses the connections of nodes that a refresh of the slot map replaced
            self._client.disconnect_connection_pools()  # type: ignore[no-untyped-call]
        if self._client is not None:
            self._client.close()

    async def aclose(self) -> None:
        """Close the connections of both clients."""
        self.close()
        if self._async_client is not None:
            await self._async_client.aclose()

    def _wanted(self, views: Iterable[str] | None) -> list[PackedView]:
        return [self._views[name] for name in (self._views if views is None else views)]

    @staticmethod
    def _request(
        entities: Mapping[str, NDArray[Any]], views: Iterable[PackedView], *, use_hot: bool = False
    ) -> "_Request":
        by_rows, now = {view.stored: view for view in views}, time.monotonic()
        parts: list[_RequestedView] = []
        for stored, view in by_rows.items():
            shape = stored.shape  # the same for the whole request, whatever other threads learn meanwhile
            if stored.hot is None or not use_hot:
                parts.append(_RequestedView(stored, shape, view.keys.distinct(entities)))
                continue
            (key,) = view.schema.join_keys
            ids = np.ascontiguousarray(integers(key.name, entities[key.name]), np.int64)
            taken = stored.hot.take(ids, shape.table, now)
            keys = view.keys.distinct({key.name: ids[taken.missing]}) if len(taken.missing) else view.keys.none
            parts.append(_RequestedView(stored, shape, keys, taken))
        return _Request(parts)

    @staticmethod
    def _exchange(client: redis.Redis | RedisCluster, request: "_Request") -> list[StoredRows]:
        if isinstance(client, RedisCluster):
            return read_cluster(client, request.cluster_read)
        return exchange(client, request.commands, request.row_counts).rows()

    @staticmethod
    async def _exchange_async(client: redis.asyncio.Redis | AsyncRedisCluster, request: "_Request") -> list[StoredRows]:
        if isinstance(client, AsyncRedisCluster):
            return await read_cluster_async(client, request.cluster_read)
        return (await exchange_async(client, request.commands, request.row_counts)).rows()

    @staticmethod
    def _unknown(request: "_Request") -> list[StoredView]:
        """The views with rows of layouts that the reader should look up now."""
        each = zip(request.views, request.rows, strict=True)
        return [view for view, rows in each if rows.stale and view.may_learn()]


class FetchedRows:
    """The rows of one round trip. Each view's columns are made when they are asked for."""

    def __init__(self, rows: Mapping[StoredView, tuple[StoredRows, NDArray[np.int64]]]) -> None:
        self._rows = rows

    def rows(self, view: PackedView) -> ViewRows:
        """The columns of a view that was fetched, or of another schema of the same rows."""
        stored, index = self._rows[view.stored]
        values, event_us, found, defaulted = view.codec.gather(stored, index)
        return ViewRows(values, event_us, found, stored.stale, defaulted)

    def write(self, view: PackedView, columns: RowColumns, output: NDArray[np.float64]) -> None:
        """Write fields of a view that was fetched, which `columns` names, into rows of `output`, (any, n).

        n is the number of requested entities; a view that all of them share may have one row.
        """
        columns.write(*self._rows[view.stored], output)


class _Request:
    """The commands for the distinct entities of all views whose rows are not kept, and later their rows.

    Attributes:
        views: the views.
        rows: the rows of each view; none before they are received.
        asked: the views with entities that the store is asked for, as indices of `views`.
        row_counts: of these views, the shapes of their rows and how many are requested.
    """

    def __init__(self, parts: Sequence["_RequestedView"]) -> None:
        self._parts = parts
        self.views = [part.view for part in parts]
        self.rows = [part.shape.no_rows for part in parts]
        self.asked = [at for at, part in enumerate(parts) if part.keys.count]
        self.row_counts = [(parts[at].shape, parts[at].keys.count) for at in self.asked]

    @property
    def commands(self) -> bytes:
        """The commands for a single server."""
        return b"".join([self._parts[at].keys.commands(MGET_KEYS) for at in self.asked])

    @property
    def cluster_read(self) -> ClusterRead:
        """The request for a cluster."""
        return ClusterRead([self._parts[at].keys.split() for at in self.asked], [shape for shape, _ in self.row_counts])

    def receive(self, rows: Sequence[StoredRows]) -> None:
        """Take the rows of the views that the store was asked for."""
        for at, each in zip(self.asked, rows, strict=True):
            self.rows[at] = each

    def fetched(self, *, strict: bool) -> FetchedRows:
        """The rows of each view, and the index of each entity's row among them.

        Raises:
            SchemaMismatchError: strict, and rows have an unknown layout.
        """
        for rows in self.rows if strict else ():
            if rows.stale:
                raise SchemaMismatchError(rows.table.layouts[0].schema.view, rows.stale)
        each = zip(self._parts, self.rows, strict=True)
        return FetchedRows({part.view: part.with_kept(rows) for part, rows in each})


class _RequestedView(NamedTuple):
    """One view of a request: the distinct entities that the store is asked for, and the rows that are kept."""

    view: StoredView
    shape: RowShape
    keys: DistinctKeys
    taken: TakenRows | None = None

    def with_kept(self, rows: StoredRows) -> tuple[StoredRows, NDArray[np.int64]]:
        """The rows of all entities, and the index of each one's row."""
        if self.taken is None or self.view.hot is None:
            return rows, self.keys.index
        everything = self.view.hot.complete(self.taken, rows, self.keys.index) if self.keys.count else self.taken.rows
        return everything, np.arange(len(self.taken.ids))
