"""Somebody else's Feast repo, with the plug-in's own package installed and nothing more of photofeed."""

from pathlib import Path
from typing import TYPE_CHECKING

import photofeed.online_store
from tests.packaging.empty_venv import run, venv_with

if TYPE_CHECKING:
    from photofeed.embedded.stack import EmbeddedStack

CONFIGURATION = """
project: elsewhere
provider: local
registry: registry.db
online_store:
  type: photofeed.online_store.store.PackedRedisOnlineStore
  redis_url: {redis_url}
entity_key_serialization_version: 3
"""
FEATURES = """
from feast import Entity, FeatureView, Field, FileSource, ValueType
from feast.types import Float32

driver = Entity(name="driver", join_keys=["driver_id"], value_type=ValueType.INT64)
trips = FeatureView(
    name="trips",
    entities=[driver],
    schema=[Field(name="rating", dtype=Float32, tags={"default": "3"})],
    source=FileSource(path="trips.parquet", timestamp_field="event_timestamp"),
)
"""
PROGRAM = """
import importlib.util
import sys
from datetime import UTC, datetime

import numpy as np
import pandas as pd
from feast import FeatureStore

from photofeed.online_store import PackedReader
from photofeed.online_store.feast_schema import row_schema

assert importlib.util.find_spec("photofeed.settings") is None
sys.path.append(".")
import features

store = FeatureStore(".")
store.apply([features.driver, features.trips])
store.write_to_online_store(
    "trips", pd.DataFrame({"driver_id": [7], "rating": [4.5], "event_timestamp": [datetime.now(UTC)]})
)
read = store.get_online_features(["trips:rating"], [{"driver_id": 7}, {"driver_id": 8}]).to_dict()
schema = row_schema(store.get_feature_view("trips"), store.project)
packed = PackedReader.from_url(store.config.online_store.redis_url, [schema]).read({"driver_id": np.array([7, 8])})
store.teardown()
print(read["rating"], packed["trips"].values["rating"].tolist())
"""


def test_a_feast_repo_uses_it_without_the_rest_of_photofeed(stack: "EmbeddedStack", tmp_path: Path) -> None:
    python = venv_with(Path(photofeed.online_store.__file__).parent, tmp_path / "venv", extras=["feast"])
    repo = tmp_path / "repo"
    repo.mkdir()
    redis_url = stack.settings().redis_url.get_secret_value()
    (repo / "feature_store.yaml").write_text(CONFIGURATION.format(redis_url=redis_url))
    (repo / "features.py").write_text(FEATURES)
    assert run(python, PROGRAM, repo).splitlines()[-1] == "[4.5, None] [4.5, 3.0]"
