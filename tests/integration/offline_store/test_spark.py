"""Spark's workers join what DuckDB joins in one process: the same rows, whatever is late, repeated or missing."""

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from feast import FeatureStore, RepoConfig
from feast.data_source import PushMode
from feast.repo_config import load_repo_config

from photofeed.feature_store import feast_environment
from photofeed.offline_store.compaction import Compaction
from photofeed.offline_store.spark import SparkLakeOfflineStoreConfig, spark_session
from photofeed.offline_store.store import lake_of
from photofeed.settings import Settings

pytestmark = [
    pytest.mark.skipif(
        not (shutil.which("java") or os.environ.get("JAVA_HOME")), reason="Spark needs Java, and there is none here"
    ),
    # Feast says so of its Spark store as a whole; that is why its rows are compared here
    pytest.mark.filterwarnings("ignore:The spark .* is an experimental feature:RuntimeWarning"),
]

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TWO_WORKERS = "local-cluster[2,1,1024]"
_JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"  # for a minute's work, not for a day's
QUICK_TO_START = {
    "spark.driver.memory": "1g",
    "spark.driver.extraJavaOptions": _JAVA,
    "spark.executor.memory": "1g",
    "spark.executor.extraJavaOptions": _JAVA,
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.codegen.wholeStage": "false",
}
BEYOND_FLOATS = 2**62 + 1
Features = Any  # tests/integration/offline_store/conftest.py
POSTS, PAIRS = ("likes", "day", "caption"), ("affinity", "follows")
EVERYTHING = [*(f"post_stats:{name}" for name in POSTS), *(f"pair_stats:{name}" for name in PAIRS)]


@pytest.fixture
def on_spark(features: Features) -> Iterator[FeatureStore]:
    """The same repo, its joins by two worker processes."""
    here = features.store.config
    offline_store = here.offline_store.model_dump() | {
        "type": "photofeed.offline_store.SparkLakeOfflineStore",
        "spark_master": TWO_WORKERS,
        "spark_conf": QUICK_TO_START,
    }
    config = RepoConfig(
        project=here.project,
        provider="local",
        registry=here.registry.path,
        online_store=None,
        offline_store=offline_store,
        entity_key_serialization_version=3,
    )
    yield FeatureStore(config=config)
    spark_session(config.offline_store).stop()


def test_two_workers_join_the_same_rows_as_one_process(features: Features, on_spark: FeatureStore) -> None:
    random = np.random.default_rng(11)
    pairs, posts = _pairs(random, 400), _posts(random, 300)
    for batch in range(4):
        features.store.push("pair_stats", pairs.iloc[batch::4].reset_index(drop=True), to=PushMode.OFFLINE)
        features.store.push("post_stats", posts.iloc[batch::4].reset_index(drop=True), to=PushMode.OFFLINE)
    lake = lake_of(features.store.config)
    Compaction(lake, features.folder.bucket, fewest_parts=3).compact()
    features.store.push("pair_stats", pairs.head(40), to=PushMode.OFFLINE)  # all over again, beside the merged parts
    asked = pd.DataFrame(
        {
            "row": np.arange(500),
            "user_id": random.integers(0, 6, 500),
            "post_id": random.integers(0, 7, 500),
            "event_timestamp": NOON + pd.to_timedelta(random.integers(-10, 100, 500) * 45, unit="s"),
        }
    )
    asked = pd.concat([asked, asked.head(5).assign(row=500 + np.arange(5))], ignore_index=True)
    here, there = (
        store.get_historical_features(asked.copy(), EVERYTHING).to_arrow().sort_by("row")
        for store in (features.store, on_spark)
    )
    assert len(there) == len(asked)
    for name in ("row", *POSTS, *PAIRS):
        assert there[name].cast(here[name].type).equals(here[name]), name
    assert pa.types.is_int64(there["day"].type)
    assert BEYOND_FLOATS in there["day"].to_pylist()
    assert 50 < there["affinity"].null_count < 450
    assert 50 < there["likes"].null_count < 450


def test_a_setting_is_all_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(spark_master="spark://joins:7077")
    for name, value in feast_environment(settings).items():
        monkeypatch.setenv(name, value)
    repo = settings.feature_repo
    store = load_repo_config(repo, repo / "feature_store.yaml").offline_store
    assert isinstance(store, SparkLakeOfflineStoreConfig)
    assert store.spark_master == "spark://joins:7077"


def _moments(random: np.random.Generator, count: int) -> dict[str, Any]:
    """Happened over fifty minutes of a few minutes each, known at once or up to a day late."""
    happened = NOON + pd.to_timedelta(random.integers(0, 50, count) * 60, unit="s")
    late = pd.to_timedelta(random.choice([0, 30, 900, 86_400], count) * 1_000_000 + np.arange(count), unit="us")
    return {"event_timestamp": happened, "created": happened + late}


def _pairs(random: np.random.Generator, count: int) -> pd.DataFrame:
    affinity = np.where(random.random(count) < 0.1, np.nan, np.arange(count)).astype(np.float32)
    columns = {"user_id": random.integers(0, 4, count), "post_id": random.integers(0, 5, count), "affinity": affinity}
    return pd.DataFrame(columns | {"follows": random.random(count) < 0.5} | _moments(random, count))


def _posts(random: np.random.Generator, count: int) -> pd.DataFrame:
    columns = {
        "post_id": random.integers(0, 6, count),
        "likes": random.random(count),
        "day": BEYOND_FLOATS - random.integers(0, 2, count),
        "caption": random.choice(["fog", "sea", ""], count),
    }
    return pd.DataFrame(columns | _moments(random, count))
