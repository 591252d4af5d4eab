"""A feature store on the stack's Valkey and SeaweedFS, with a registry file and a folder of the lake of its own."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
import redis
from feast import Entity, FeatureStore, Field, ValueType
from feast.types import Bool, Float32, Float64, Int64, String

from photofeed.offline_store.lake import LakeFolder
from photofeed.offline_store.store import LakeOfflineStore
from photofeed.online_store.keys import scan_pattern
from tests.lake_features import lake_store_config, pushed_view

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
    config = lake_store_config(settings, project, tmp_path)
    folder = LakeFolder(settings.bucket_lake, f"features/{project}")

    post_stats = pushed_view(
        "post_stats",
        f"{folder}/post_stats",
        [post],
        Field(name="likes", dtype=Float64),
        Field(name="day", dtype=Int64, description="named as a folder of the lake is"),
        Field(name="caption", dtype=String),
    )
    pair_stats = pushed_view(
        "pair_stats",
        f"{folder}/pair_stats",
        [user, post],
        Field(name="affinity", dtype=Float32),
        Field(name="follows", dtype=Bool),
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
