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
from photofeed.online_store.codec import RowCodec, StoredRows
from photofeed.online_store.exchange import MGET_KEYS, exchange, exchange_async
from photofeed.online_store.kernel import warm
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
        warm()
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
            return request.nothing()
        if isinstance(self._client, RedisCluster):
            return request.columns(read_cluster(self._client, request.cluster_read))
        return request.columns(exchange(self._client, request.commands, request.asked).rows())

    async def read_async(
        self, entities: Mapping[str, NDArray[Any]], views: Iterable[str] | None = None
    ) -> dict[str, ViewRows]:
        """`read`, without blocking the event loop."""
        if self._async_client is None:
            raise RuntimeError("PackedReader was made without an async_client; give one, or call read")
        request = self._request(entities, views)
        if not request.keys:
            return request.nothing()
        if isinstance(self._async_client, AsyncRedisCluster):
            return request.columns(await read_cluster_async(self._async_client, request.cluster_read))
        return request.columns((await exchange_async(self._async_client, request.commands, request.asked)).rows())

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


class _Request:
    """The commands for the distinct entities of all views."""

    def __init__(self, views: Sequence["_View"], entities: Mapping[str, NDArray[Any]]) -> None:
        self._views = views
        self._distinct = [view.keys.distinct(entities) for view in views]
        self.asked = [(view.shape, keys.count) for view, keys in zip(views, self._distinct, strict=True)]
        self.keys = sum(keys.count for keys in self._distinct)

    @property
    def commands(self) -> bytes:
        """The commands as bytes."""
        return b"".join([keys.commands(MGET_KEYS) for keys in self._distinct])

    @property
    def cluster_read(self) -> ClusterRead:
        """The same as keys, for a cluster."""
        return ClusterRead([keys.split() for keys in self._distinct], [view.shape for view in self._views])

    def columns(self, stored: Iterable[StoredRows]) -> dict[str, ViewRows]:
        """The columns of each view, from the rows of its distinct entities."""
        return {
            view.schema.view: ViewRows(*view.codec.gather(rows, keys.which), rows.stale)
            for view, keys, rows in zip(self._views, self._distinct, stored, strict=True)
        }

    def nothing(self) -> dict[str, ViewRows]:
        """The columns where nobody was asked for."""
        nobody = StoredRows(np.empty(0, np.uint8), np.empty(0, np.int64))
        return self.columns([nobody] * len(self._views))


class _View:
    """How one view's keys are made and its values become columns."""

    def __init__(self, schema: RowSchema, *, strict: bool) -> None:
        self.schema = schema
        self.keys = KeyEncoder(schema)
        self.codec = RowCodec(schema, strict=strict)
        self.shape = RowShape(self.codec)
