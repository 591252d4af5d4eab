"""The Feast online store: packed rows in Redis or Valkey.

online_store:
    type: photofeed.online_store.store.PackedRedisOnlineStore
    redis_url: redis://:${REDIS_PASSWORD}@127.0.0.1:6379/0
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
from photofeed.online_store.layouts import (
    LayoutTable,
    append_layout,
    layouts_key,
    registered_layouts,
    upgraded,
)
from photofeed.online_store.newest import append_newest
from photofeed.online_store.protos import FeastFeatures, FeastRow, decode_rows, encode_rows, entity_key
from photofeed.online_store.published_rows import Publication, publication, publish, publish_async, rewritten
from photofeed.online_store.response import add_feature_vectors
from photofeed.online_store.schema import RowSchema

_DELETE_BATCH = 1000


class PackedRedisOnlineStoreConfig(FeastConfigBaseModel):  # type: ignore[misc]  # feast has no types
    """Options of the store in feature_store.yaml."""

    type: StrictStr = "photofeed.online_store.store.PackedRedisOnlineStore"
    redis_type: Literal["redis", "redis_cluster"] = "redis"
    """`redis_cluster`: the URL is that of any node of a Redis Cluster."""
    redis_url: StrictStr = "redis://127.0.0.1:6379/0"
    """`redis://`, `rediss://` or `unix://`, with credentials and database."""
    key_ttl_seconds: PositiveInt | None = None
    """Lifetime of a row after its last write; without it rows are kept."""
    strict: bool = False
    """Raise SchemaMismatchError on rows of an unknown layout instead of treating them as missing."""
    socket_timeout_seconds: PositiveFloat = 5.0


class PackedRedisOnlineStore(OnlineStore):  # type: ignore[misc]  # feast has no types
    """One value per feature view and entity: header, nulls, packed numbers, and protos of other types.

    Differences from Feast's Redis store: a row is written whole; an entity without a row is NOT_FOUND; of two rows with
    the same event timestamp the one created later wins, as in the offline join; the newest row wins even among
    concurrent writers.
    """

    # keys contain the versioned name of the view, which is enough for versioned reads
    _versioned_read_supported = True

    def __init__(self) -> None:
        self._client: redis.Redis | RedisCluster | None = None
        self._client_async: redis.asyncio.Redis | AsyncRedisCluster | None = None

    @cached_property
    def async_supported(self) -> SupportedAsyncMethods:
        """Reads and writes have async versions."""
        return SupportedAsyncMethods(read=True, write=True)

    def online_write_batch(
        self,
        config: RepoConfig,
        table: FeatureView,
        data: Sequence[FeastRow],
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Write the rows that are newer than the stored ones."""
        client = self._connect(config)
        pipeline = client.pipeline(**_without_multi(config))
        written = _append_rows(pipeline, config, table, data)
        pipeline.execute()
        publish(client, written)
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
        client = self._connect_async(config)
        pipeline = client.pipeline(**_without_multi(config))
        written = _append_rows(pipeline, config, table, data)
        await pipeline.execute()
        await publish_async(client, written)
        if progress:
            progress(len(data))

    def online_read(
        self,
        config: RepoConfig,
        table: FeatureView,
        entity_keys: Sequence[EntityKey],
        requested_features: Sequence[str] | None = None,
    ) -> list[FeastFeatures]:
        """Event time and features of each entity, in order; (None, None) if there is no readable row."""
        read = _Read(config, table, entity_keys, requested_features)
        return read.rows(self._readable(config, [read], self._mget(config, read.keys)))

    async def online_read_async(
        self,
        config: RepoConfig,
        table: FeatureView,
        entity_keys: Sequence[EntityKey],
        requested_features: Sequence[str] | None = None,
    ) -> list[FeastFeatures]:
        """`online_read`, without blocking the event loop."""
        read = _Read(config, table, entity_keys, requested_features)
        stored = await self._mget_async(config, read.keys)
        return read.rows(await self._readable_async(config, [read], stored))

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
        """Read all views of one request in one round trip; Feast calls it once per request."""
        views = _ViewReads(config, grouped_refs, join_key_values, entity_name_to_join_key_map)
        stored = self._readable(config, views.reads, self._mget(config, views.keys))
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
        stored = await self._readable_async(config, views.reads, await self._mget_async(config, views.keys))
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

    def _readable(
        self, config: RepoConfig, reads: Sequence["_Read"], stored: Sequence[bytes | None]
    ) -> list[bytes | None]:
        """The stored values with those of earlier layouts rewritten in the layouts of now."""
        readable = list(stored)
        for read, part in _parts(reads):
            if read.has_others(readable[part]):
                registered: Any = self._connect(config).hgetall(read.layouts_key)
                readable[part] = read.upgraded(readable[part], registered)
        return readable

    async def _readable_async(
        self, config: RepoConfig, reads: Sequence["_Read"], stored: Sequence[bytes | None]
    ) -> list[bytes | None]:
        readable = list(stored)
        for read, part in _parts(reads):
            if read.has_others(readable[part]):
                client: Any = self._connect_async(config)
                registered = await client.hgetall(read.layouts_key)
                readable[part] = read.upgraded(readable[part], registered)
        return readable

    def _delete(self, config: RepoConfig, tables: Iterable[FeatureView]) -> None:
        client = self._connect(config)
        for table in tables:
            found = client.scan_iter(scan_pattern(config.project, _name(config, table)), count=_DELETE_BATCH)
            while keys := list(itertools.islice(found, _DELETE_BATCH)):
                client.unlink(*keys)
            schema = _schema(config, table)
            client.unlink(layouts_key(schema))
            publish(client, rewritten(schema))

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
    """The read of some entities of one view: their keys, and the codec of their values."""

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

    @property
    def layouts_key(self) -> str:
        return layouts_key(self.codec.schema)

    def has_others(self, stored: Sequence[bytes | None]) -> bool:
        """Whether a value has another layout than the view has now."""
        return any(value is not None and not value.startswith(self.codec.signature) for value in stored)

    def upgraded(self, stored: Sequence[bytes | None], registered: Mapping[bytes, bytes]) -> list[bytes | None]:
        table = LayoutTable(registered_layouts(self.codec.schema, registered))
        return upgraded(self.codec.layout, stored, {layout.signature: layout for layout in table.layouts})

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
        self.reads: list[_Read] = []
        self._places = []
        for table, requested in grouped_refs:
            entities, indexes, length = utils._get_unique_entities(  # noqa: SLF001  as Feast's own stores do
                table, join_key_values, entity_name_to_join_key_map
            )
            read = _Read(config, table, utils._get_entity_key_protos(entities), requested)  # noqa: SLF001
            self.reads.append(read)
            self._places.append((table, indexes, length))
        self.keys = [key for read in self.reads for key in read.keys]

    def populate(
        self, stored: Sequence[bytes | None], response: Any, full_feature_names: bool, version_metadata: bool
    ) -> None:
        for (read, part), (table, indexes, length) in zip(_parts(self.reads), self._places, strict=True):
            add_feature_vectors(
                response,
                table,
                read.codec,
                stored[part],
                read.requested,
                indexes=indexes,
                length=length,
                full_feature_names=full_feature_names,
                version_metadata=version_metadata,
            )


def _parts(reads: Sequence[_Read]) -> Iterator[tuple[_Read, slice]]:
    """Each read, and where the values of its keys are among those of all."""
    start = 0
    for read in reads:
        yield read, slice(start, start + len(read.keys))
        start += len(read.keys)


def _append_rows(pipeline: Any, config: RepoConfig, table: FeatureView, data: Sequence[FeastRow]) -> Publication:
    schema, prefix = _schema(config, table), view_tag(config.project, _name(config, table))
    keys, values = [entity_key(prefix, row[0]) for row in data], encode_rows(_codec(config, table), data)
    append_layout(pipeline, schema)
    append_newest(pipeline, keys, values, config.online_store.key_ttl_seconds)
    return publication(schema, keys, values)


def _codec(config: RepoConfig, table: FeatureView) -> RowCodec:
    return RowCodec(_schema(config, table), strict=config.online_store.strict)


def _schema(config: RepoConfig, table: FeatureView) -> RowSchema:
    return row_schema(table, config.project, versioned=_is_versioned(config))


def _name(config: RepoConfig, table: FeatureView) -> str:
    name: str = compute_versioned_name(table, _is_versioned(config))
    return name


def _is_versioned(config: RepoConfig) -> bool:
    versioned: bool = config.registry.enable_online_feature_view_versioning
    return versioned


def _is_cluster(config: RepoConfig) -> bool:
    return bool(config.online_store.redis_type == "redis_cluster")


def _without_multi(config: RepoConfig) -> dict[str, Any]:
    """Options of a pipeline without MULTI; pipelines of a cluster never have it."""
    return {} if _is_cluster(config) else {"transaction": False}


def _timeouts(config: RepoConfig) -> dict[str, Any]:
    seconds = config.online_store.socket_timeout_seconds
    return {"socket_timeout": seconds, "socket_connect_timeout": seconds}
