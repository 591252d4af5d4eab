"""The checklist of CONTRIBUTING, followed from end to end: what is declared today is served and learned."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ingestion.archive import Archive
from ingestion.bootstrap.engagement import backfill_view, engagement_pipeline
from photofeed.errors import ConflictError, NotFoundError
from photofeed.events import Action, EngagementEvent, Envelope, engagement_envelope
from photofeed.feature_store import close_feature_store, load_manifest, open_feature_store
from photofeed.features.declarations import RankingFeature
from photofeed.features.event_columns import EventColumns
from photofeed.features.manifest import FeatureManifest
from photofeed.features.program import FeatureProgram
from photofeed.features.ratios import Ratio
from photofeed.features.stored import StoredFeatures
from photofeed.object_store import S3ObjectStore
from photofeed.offline_store.lake import open_lake
from photofeed.online_store.reader import PackedReader
from photofeed.redis_client import RedisClient, connect_redis
from photofeed.settings import Settings
from tests.command_line import photofeed
from training.data.point_in_time import EntityRows, features_known_at

DECLARED = """
        decayed("shares_1h", "share=1", half_life=HOUR, unit="shares", about="Shares of the last hour"),
    ],
)
"""
POSTS, CREATOR, TOPIC = [501, 502, 503], 9, 7
NOW = datetime.now(UTC)


@dataclass(frozen=True)
class World:
    """A photofeed with a lake, a Redis and a feature repo of its own."""

    settings: Settings
    client: RedisClient

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return photofeed(
            *arguments,
            PHOTOFEED_STATE_DIR=self.settings.state_dir,
            PHOTOFEED_REDIS_URL=self.settings.redis_url.get_secret_value(),
            PHOTOFEED_BUCKET_LAKE=self.settings.bucket_lake,
            PHOTOFEED_FEATURE_REPO=self.settings.feature_repo,
        )

    def manifest(self) -> FeatureManifest:
        return load_manifest(self.settings, S3ObjectStore.connect(self.settings))


@pytest.fixture
def world(settings_apart: Callable[[int], Settings], tmp_path: Path) -> Iterator[World]:
    settings = settings_apart(9)
    repo = shutil.copytree(settings.feature_repo, tmp_path / "feature_repo")
    configuration = repo / "feature_store.yaml"
    configuration.write_text(configuration.read_text().replace("project: photofeed", "project: adding"))
    settings = settings.model_copy(update={"feature_repo": repo})
    with connect_redis(settings) as client:
        yield World(settings, client)
        client.flushdb()


FIRST_USER = {"before": 1000, "since": 2000, "coming": 3000}  # a person counts once per post and action


def _events(first: datetime, count: int, name: str) -> list[Envelope]:
    """Events of a person each on some posts, half of them shares, a minute apart."""
    users = FIRST_USER[name]
    return [
        engagement_envelope(
            users + number,
            [
                EngagementEvent(
                    id=f"adding-{name}-{number}",
                    action=(Action.SHARE, Action.IMPRESSION)[number % 2],
                    user_id=users + number,
                    creator_id=CREATOR,
                    occurred_at=first + timedelta(minutes=number),
                    post_id=POSTS[number % len(POSTS)],
                    topic_id=TOPIC,
                    content_type="photo",
                )
            ],
        )
        for number in range(count)
    ]


def _brute_force(envelopes: list[Envelope], half_life: timedelta, at: datetime) -> list[float]:
    left = dict.fromkeys(POSTS, 0.0)
    for envelope in envelopes:
        (event,) = envelope.payload["events"]
        happened = datetime.fromisoformat(event["occurredAt"])
        if event["action"] == "share" and happened <= at:
            left[event["postId"]] += 0.5 ** ((at - happened) / half_life)
    return list(left.values())


def _keys() -> dict[str, Any]:
    count = len(POSTS)
    return {
        "user_id": np.full(count, 1),
        "post_id": np.array(POSTS),
        "creator_id": np.full(count, CREATOR),
        "topic_id": np.full(count, TOPIC),
    }


def _feature(field: str, stored: StoredFeatures) -> Any:
    """A counter of posts as a model sees it, (posts,)."""
    feature = RankingFeature(f"post_{field}", "velocity", Ratio("post_engagement", field))
    return FeatureProgram([feature]).matrix(stored, len(POSTS))[:, 0]


def test_a_declared_feature_is_backfilled_served_and_joined_into_training(world: World) -> None:
    # 1. declare it, 2. apply
    views = world.settings.feature_repo / "post_views.py"
    views.write_text(views.read_text().rstrip().removesuffix("    ],\n)") + DECLARED.lstrip("\n"))
    applied = world.run("setup")
    assert applied.returncode == 0, applied.stderr
    half_lives = {"shares_1h": timedelta(hours=1), "shares_24h": timedelta(days=1)}

    # what happened before, counted by a release without the feature; then what the new one counts; then what comes
    before = _events(NOW - timedelta(days=40), 12, "before")
    since = _events(NOW - timedelta(hours=3), 40, "since")
    coming = _events(NOW - timedelta(minutes=9), 5, "coming")
    archive = Archive(open_lake(world.settings), world.settings.bucket_lake)
    store = open_feature_store(world.settings)
    try:
        pipeline = engagement_pipeline(world.settings, store, world.client)
        pipeline.become_leader()
        pipeline.handle(since)
        pipeline.counted.remember(EventColumns.from_payloads([event.payload["events"][0] for event in before]))
        for part in (before, coming):
            archive.handle(part)

        # 3. backfill: not before all that was counted is in the lake
        with pytest.raises(ConflictError, match="40 counted events are not in the lake"):
            backfill_view(world.settings, "post_engagement")
        archive.handle(since)
        archive.handle(since[:7])  # the log may hold an event twice
        done = world.run("features", "backfill", "post_engagement")
        assert done.returncode == 0, done.stderr
        assert done.stdout.split("\t") == ["post_engagement", "52 rows of history", "3 entities online\n"]

        # 4. served: by the packed reader as serving reads, and by stock Feast; the worker goes on from there
        pipeline.become_leader()
        pipeline.handle(since[-5:] + coming)
        manifest, everything = world.manifest(), before + since + coming
        reader = PackedReader([view.schema for view in manifest.views], client=world.client)
        read = reader.read(_keys())
        online = {
            f"{view.name}__{field.name}": read[view.name].values[field.name]
            for view in manifest.views
            for field in view.schema.fixed_fields
        }
        served = StoredFeatures(online, manifest, NOW.timestamp())
        for name, half_life in half_lives.items():
            expected = _brute_force(everything, half_life, NOW)
            np.testing.assert_allclose(_feature(name, served), expected, rtol=1e-6)
        stock = store.get_online_features(["post_engagement:shares_1h"], [{"post_id": post} for post in POSTS])
        assert stock.to_dict()["shares_1h"] == online["post_engagement__shares_1h"].tolist()

        # 5. trained on: as if it had been known all along, at any moment
        for moment in (NOW - timedelta(days=40, minutes=-9, seconds=-5), NOW - timedelta(hours=2, minutes=41)):
            us = np.full(len(POSTS), round(moment.timestamp() * 1e6))
            keys = _keys()
            rows = EntityRows(keys["user_id"], keys["post_id"], keys["creator_id"], keys["topic_id"], us)
            columns = features_known_at(store, manifest, rows)
            column = _feature("shares_1h", StoredFeatures(columns, manifest, moment.timestamp()))
            np.testing.assert_allclose(column, _brute_force(everything, timedelta(hours=1), moment), rtol=1e-6)
            assert column.min() > 0
        with pytest.raises(NotFoundError, match="no counter view 'post_content'; there are creator_engagement"):
            backfill_view(world.settings, "post_content")
    finally:
        close_feature_store(store)
