"""The Feast online store: packed rows in Redis or Valkey.

online_store:
    type: photofeed.online_store.store.PackedRedisOnlineStore
    redis_url: redis://:${REDIS_PASSWORD}@127.0.0.1:6379/0
"""

import itertools
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any, Literal

import redis
import redis.asyncio
from feast import Entity, FeatureView, RepoConfig, utils
from feast.infra.online_stores.helpers import compute_versioned_name
from feast.infra.online_stores.online_store import OnlineStore
from feast.infra.supported_async_methods import SupportedAsyncMethods
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.repo_config import FeastConfigBaseModel
from pydantic import PositiveFloat, PositiveInt, StrictStr
from redis.asyncio.cluster import RedisCluster as AsyncRedisCluster
from redis.cluster import RedisCluster

from photofeed.online_store.codec import RowCodec
from photofeed.online_store.feast_schema import row_schema
from photofeed.online_store.keys import scan_pattern, view_tag
from photofeed.online_store.newest import append_newest
from photofeed.online_store.protos import FeastFeatures, FeastRow, decode_rows, encode_rows, entity_key
from photofeed.online_store.response import add_feature_vectors

_DELETE_BATCH = 1000


class PackedRedisOnlineStoreConfig(FeastConfigBaseModel):  # type: ignore[misc]  # feast has no types
    """What feature_store.yaml says of the store."""

    type: Literal["photofeed.online_store.store.PackedRedisOnlineStore"] = (
        "photofeed.online_store.store.PackedRedisOnlineStore"
    )
    redis_type: Literal["redis", "redis_cluster"] = "redis"
    """`redis_cluster`: the URL is that of any node of a Redis Cluster."""
    redis_url: StrictStr = "redis://127.0.0.1:6379/0"
    """`redis://`, `rediss://` or `unix://`, with credentials and database."""
    key_ttl_seconds: PositiveInt | None = None
    """When a row expires after it was written; rows are kept where this is not set."""
    strict: bool = False
    """Refuse to read rows of another schema (SchemaMismatchError) instead of treating them as missing."""
    socket_timeout_seconds: PositiveFloat = 5.0


class PackedRedisOnlineStore(OnlineStore):  # type: ignore[misc]  # feast has no types
    """One value per feature view and entity: header, nulls, packed numbers, protos of whatever is not a number.

    Differs from Feast's own Redis store in this: a row is written whole; an entity without a row is NOT_FOUND; of two
    rows with the same event timestamp the later created one wins, as in the offline join; and the newest row wins even
    among concurrent writers.
    """

    # keys carry the versioned name of the view, which is all that versioned reads need
    _versioned_read_supported = True

    def __init__(self) -> None:
        self._client: redis.Redis | RedisCluster | None = None
        self._client_async: redis.asyncio.Redis | AsyncRedisCluster | None = None

    @cached_property
    def async_supported(self) -> SupportedAsyncMethods:
        """Both reads and writes have async twins."""
        return SupportedAsyncMethods(read=True, write=True)

    def online_write_batch(
        self,
        config: RepoConfig,
        table: FeatureView,
        data: Sequence[FeastRow],
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Write rows, except those that are not newer than what is stored."""
        pipeline = self._connect(config).pipeline(**_unchained(config))
        append_newest(pipeline, *_stored(config, table, data), config.online_store.key_ttl_seconds)
        pipeline.execute()
        if progress:
            progress(len(data))

    async def online_write_batch_async(
        self,
        config: RepoConfig,
        table: FeatureView,
        data: Sequence[FeastRow],
        progress: Callable[[int], Any] | None,
    ) -> None:
        """`online_write_batch`, without blocking the event loop."""
        pipeline = self._connect_async(config).pipeline(**_unchained(config))
        append_newest(pipeline, *_stored(config, table, data), config.online_store.key_ttl_seconds)
        await pipeline.execute()
        if progress:
            progress(len(data))

    def online_read(
        self,
        config: RepoConfig,
        table: FeatureView,
        entity_keys: Sequence[EntityKey],
        requested_features: Sequence[str] | None = None,
    ) -> list[FeastFeatures]:
        """Event time and features of each entity, in order; (None, None) where there is no readable row."""
        read = _Read(config, table, entity_keys, requested_features)
        return read.rows(self._mget(config, read.keys))

    async def online_read_async(
        self,
        config: RepoConfig,
        table: FeatureView,
        entity_keys: Sequence[EntityKey],
        requested_features: Sequence[str] | None = None,
    ) -> list[FeastFeatures]:
        """`online_read`, without blocking the event loop."""
        read = _Read(config, table, entity_keys, requested_features)
        return read.rows(await self._mget_async(config, read.keys))

    def update(
        self,
        config: RepoConfig,
        tables_to_delete: Sequence[FeatureView],
        tables_to_keep: Sequence[FeatureView],  # noqa: ARG002  rows need no preparation
        entities_to_delete: Sequence[Entity],  # noqa: ARG002
        entities_to_keep: Sequence[Entity],  # noqa: ARG002
        partial: bool,  # noqa: ARG002
    ) -> None:
        """Delete the rows of dropped views."""
        self._delete(config, tables_to_delete)

    def teardown(self, config: RepoConfig, tables: Sequence[FeatureView], entities: Sequence[Entity]) -> None:  # noqa: ARG002
        """Delete the rows of these views."""
        self._delete(config, tables)

    async def close(self) -> None:
        """Close all connections."""
        if self._client_async is not None:
            await self._client_async.aclose()
        if self._client is not None:
            self._client.close()

    def _read_features_per_fv(
        self,
        config: RepoConfig,
        grouped_refs: Sequence[tuple[FeatureView, Sequence[str]]],
        join_key_values: Any,
        entity_name_to_join_key_map: Any,
        online_features_response: Any,
        full_feature_names: bool,
        include_feature_view_version_metadata: bool,
    ) -> None:
        """Feast's seam for reading all views of one request together: here in one round trip."""
        views = _ViewReads(config, grouped_refs, join_key_values, entity_name_to_join_key_map)
        stored = self._mget(config, views.keys)
        views.populate(stored, online_features_response, full_feature_names, include_feature_view_version_metadata)

    async def _read_features_per_fv_async(
        self,
        config: RepoConfig,
        grouped_refs: Sequence[tuple[FeatureView, Sequence[str]]],
        join_key_values: Any,
        entity_name_to_join_key_map: Any,
        online_features_response: Any,
        full_feature_names: bool,
        include_feature_view_version_metadata: bool,
    ) -> None:
        views = _ViewReads(config, grouped_refs, join_key_values, entity_name_to_join_key_map)
        stored = await self._mget_async(config, views.keys)
        views.populate(stored, online_features_response, full_feature_names, include_feature_view_version_metadata)

    def _mget(self, config: RepoConfig, keys: Sequence[bytes]) -> list[bytes | None]:
        client = self._connect(config)
        if not keys:
            return []
        stored: Any = client.mget_nonatomic(keys) if isinstance(client, RedisCluster) else client.mget(keys)
        return list(stored)

    async def _mget_async(self, config: RepoConfig, keys: Sequence[bytes]) -> list[bytes | None]:
        client = self._connect_async(config)
        if not keys:
            return []
        if isinstance(client, AsyncRedisCluster):
            return list(await client.mget_nonatomic(keys))
        stored: list[bytes | None] = await client.mget(keys)
        return stored

    def _delete(self, config: RepoConfig, tables: Iterable[FeatureView]) -> None:
        client = self._connect(config)
        for table in tables:
            found = client.scan_iter(scan_pattern(config.project, _name(config, table)), count=_DELETE_BATCH)
            while keys := list(itertools.islice(found, _DELETE_BATCH)):
                client.unlink(*keys)

    def _connect(self, config: RepoConfig) -> redis.Redis | RedisCluster:
        if self._client is None:
            kind = RedisCluster if _is_cluster(config) else redis.Redis
            self._client = kind.from_url(config.online_store.redis_url, **_timeouts(config))
        return self._client

    def _connect_async(self, config: RepoConfig) -> redis.asyncio.Redis | AsyncRedisCluster:
        if self._client_async is None:
            kind = AsyncRedisCluster if _is_cluster(config) else redis.asyncio.Redis
            self._client_async = kind.from_url(config.online_store.redis_url, **_timeouts(config))
        return self._client_async


class _Read:
    """The read of some entities of one view: which keys, and what their values mean."""

    def __init__(
        self,
        config: RepoConfig,
        table: FeatureView,
        entity_keys: Iterable[EntityKey],
        requested: Sequence[str] | None,
    ) -> None:
        prefix = view_tag(config.project, _name(config, table))
        self.keys = [entity_key(prefix, key) for key in entity_keys]
        self.codec = _codec(config, table)
        self.requested = [field.name for field in table.features] if requested is None else list(requested)

    def rows(self, stored: Sequence[bytes | None]) -> list[FeastFeatures]:
        return decode_rows(self.codec, stored, self.requested)


class _ViewReads:
    """The reads of all views of one request."""

    def __init__(
        self,
        config: RepoConfig,
        grouped_refs: Sequence[tuple[FeatureView, Sequence[str]]],
        join_key_values: Any,
        entity_name_to_join_key_map: Any,
    ) -> None:
        self._reads = []
        for table, requested in grouped_refs:
            entities, indexes, length = utils._get_unique_entities(  # noqa: SLF001  as Feast's own stores do
                table, join_key_values, entity_name_to_join_key_map
            )
            read = _Read(config, table, utils._get_entity_key_protos(entities), requested)  # noqa: SLF001
            self._reads.append((table, read, indexes, length))
        self.keys = [key for _, read, _, _ in self._reads for key in read.keys]

    def populate(
        self, stored: Sequence[bytes | None], response: Any, full_feature_names: bool, version_metadata: bool
    ) -> None:
        start = 0
        for table, read, indexes, length in self._reads:
            end = start + len(read.keys)
            add_feature_vectors(
                response,
                table,
                read.codec,
                stored[start:end],
                read.requested,
                indexes=indexes,
                length=length,
                full_feature_names=full_feature_names,
                version_metadata=version_metadata,
            )
            start = end


def _stored(config: RepoConfig, table: FeatureView, data: Sequence[FeastRow]) -> tuple[list[bytes], list[bytes]]:
    prefix = view_tag(config.project, _name(config, table))
    return [entity_key(prefix, row[0]) for row in data], encode_rows(_codec(config, table), data)


def _codec(config: RepoConfig, table: FeatureView) -> RowCodec:
    schema = row_schema(table, config.project, versioned=_is_versioned(config))
    return RowCodec(schema, strict=config.online_store.strict)


def _name(config: RepoConfig, table: FeatureView) -> str:
    name: str = compute_versioned_name(table, _is_versioned(config))
    return name


def _is_versioned(config: RepoConfig) -> bool:
    versioned: bool = config.registry.enable_online_feature_view_versioning
    return versioned


def _is_cluster(config: RepoConfig) -> bool:
    return bool(config.online_store.redis_type == "redis_cluster")


def _unchained(config: RepoConfig) -> dict[str, Any]:
    """Options of a pipeline without MULTI: a cluster's are like that already."""
    return {} if _is_cluster(config) else {"transaction": False}


def _timeouts(config: RepoConfig) -> dict[str, Any]:
    seconds = config.online_store.socket_timeout_seconds
    return {"socket_timeout": seconds, "socket_connect_timeout": seconds}
