"""Somebody else's Feast repo, with the plug-in's own package installed and nothing more of photofeed."""

import subprocess
import sys
import sysconfig
from pathlib import Path
from shutil import copytree, ignore_patterns
from typing import TYPE_CHECKING

import pytest

import photofeed.online_store

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
from datetime import UTC, datetime

import numpy as np
import pandas as pd
from feast import FeatureStore

from photofeed.online_store import PackedReader
from photofeed.online_store.feast_schema import row_schema

assert importlib.util.find_spec("photofeed.settings") is None
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


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What installing the package puts among the others."""
    folder = tmp_path_factory.mktemp("package")
    source = copytree(Path(photofeed.online_store.__file__).parent, folder / "source", ignore=ignore_patterns("__py*"))
    build = [
        sys.executable,
        "-c",
        "import setuptools; setuptools.setup()",
        "build_py",
        "--build-lib",
        str(folder / "site"),
    ]
    done = subprocess.run(build, cwd=source, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    return folder / "site"


def test_a_feast_repo_uses_it_without_the_rest_of_photofeed(stack: "EmbeddedStack", site: Path, tmp_path: Path) -> None:
    redis_url = stack.settings().redis_url.get_secret_value()
    (tmp_path / "feature_store.yaml").write_text(CONFIGURATION.format(redis_url=redis_url))
    (tmp_path / "features.py").write_text(FEATURES)
    places = [str(tmp_path), str(site), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    # -S: no .pth file leads to this repository
    program = [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {places}\n{PROGRAM}"]
    done = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[4.5, None] [4.5, 3.0]"
