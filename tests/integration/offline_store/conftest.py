"""A feature store on the stack's Valkey and SeaweedFS, with a registry file and a folder of the lake of its own."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
import redis
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, PushSource, RepoConfig, ValueType
from feast.types import Bool, Float32, Float64, Int64, String

from photofeed.offline_store.lake import LakeFolder
from photofeed.offline_store.store import LakeOfflineStore
from photofeed.online_store.keys import scan_pattern

if TYPE_CHECKING:
    from photofeed.embedded.stack import EmbeddedStack

user = Entity(name="user", join_keys=["user_id"], value_type=ValueType.INT64)
post = Entity(name="post", join_keys=["post_id"], value_type=ValueType.INT64)


@dataclass(frozen=True)
class Features:
    """The store, and where the history of its views lies."""

    store: FeatureStore
    folder: LakeFolder

    def history(self, view: str) -> LakeFolder:
        return LakeFolder(self.folder.bucket, self.folder.key(view))


@pytest.fixture
def features(stack: "EmbeddedStack", tmp_path: Path) -> Iterator[Features]:
    settings = stack.settings()
    project = f"test_{uuid4().hex[:8]}"
    config = RepoConfig(
        project=project,
        provider="local",
        registry=str(tmp_path / "registry.db"),
        online_store={
            "type": "photofeed.online_store.store.PackedRedisOnlineStore",
            "redis_url": settings.redis_url.get_secret_value(),
        },
        offline_store={
            "type": "photofeed.offline_store.LakeOfflineStore",
            "endpoint_url": settings.s3_endpoint_url,
            "access_key": settings.s3_access_key,
            "secret_key": settings.s3_secret_key.get_secret_value(),
            "region": settings.s3_region,
            "cache_dir": str(tmp_path / "mirror"),
        },
        entity_key_serialization_version=3,
    )
    folder = LakeFolder(settings.bucket_lake, f"features/{project}")

    def pushed(view: str, entities: list[Entity], *fields: Field) -> FeatureView:
        source = FileSource(
            name=f"{view}_history",
            path=f"{folder}/{view}",
            timestamp_field="event_timestamp",
            created_timestamp_column="created",
        )
        return FeatureView(
            name=view,
            entities=entities,
            ttl=None,
            schema=list(fields),
            source=PushSource(name=view, batch_source=source),
        )

    post_stats = pushed(
        "post_stats",
        [post],
        Field(name="likes", dtype=Float64),
        Field(name="day", dtype=Int64, description="named as a folder of the lake is"),
        Field(name="caption", dtype=String),
    )
    pair_stats = pushed(
        "pair_stats", [user, post], Field(name="affinity", dtype=Float32), Field(name="follows", dtype=Bool)
    )
    store = FeatureStore(config=config)
    for view in (post_stats, pair_stats):
        LakeOfflineStore.ensure_source(config, view, [user, post])
    store.apply([user, post, post_stats, pair_stats])
    yield Features(store, folder)
    store.teardown()
    with redis.Redis.from_url(config.online_store.redis_url) as client:
        for view in (post_stats, pair_stats):
            assert not list(client.scan_iter(scan_pattern(project, view.name)))
