"""`get_online_features` of the feature repo's online store: keys may be integers or the ids of the API."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pandas as pd
import pytest
import yaml
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.types import Int64

from photofeed.errors import InvalidError
from photofeed.ids import encode_id

if TYPE_CHECKING:
    from photofeed.embedded.stack import EmbeddedStack

REPO = Path(__file__).resolve().parents[3] / "feature_repo" / "feature_store.yaml"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
POST = 2**61 + 5
FEATURES = ["pairs:likes"]

post = Entity(name="post", join_keys=["post_id"], value_type=ValueType.INT64)
tag = Entity(name="tag", join_keys=["tag"], value_type=ValueType.STRING)


@pytest.fixture
def store(stack: "EmbeddedStack", tmp_path: Path) -> Iterator[FeatureStore]:
    """A store of the type that the feature repo names, with a view by a post and by a text."""
    opened = FeatureStore(
        config=RepoConfig(
            project=f"test_{uuid4().hex[:8]}",
            provider="local",
            registry=str(tmp_path / "registry.db"),
            online_store={
                "type": yaml.safe_load(REPO.read_text())["online_store"]["type"],
                "redis_url": stack.settings().redis_url.get_secret_value(),
            },
            entity_key_serialization_version=3,
        )
    )
    source = FileSource(path="unused.parquet", timestamp_field="event_timestamp")
    schema = [Field(name="likes", dtype=Int64)]
    opened.apply([post, tag, FeatureView(name="pairs", entities=[post, tag], schema=schema, source=source)])
    rows = {"post_id": [POST, 9], "tag": [encode_id(POST), "sea"], "likes": [3, 4], "event_timestamp": [NOON, NOON]}
    opened.write_to_online_store("pairs", pd.DataFrame(rows))
    yield opened
    opened.teardown()


Read = Callable[[FeatureStore, Any], dict[str, list[Any]]]


def _read(store: FeatureStore, rows: Any) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = store.get_online_features(FEATURES, rows).to_dict()
    return found


def _read_async(store: FeatureStore, rows: Any) -> dict[str, list[Any]]:
    async def read() -> Any:
        try:
            return await store.get_online_features_async(FEATURES, rows)
        finally:
            await store.close()

    found: dict[str, list[Any]] = asyncio.run(read()).to_dict()
    return found


@pytest.mark.parametrize("read", [_read, _read_async])
def test_ids_of_the_api_numbers_and_integers_are_the_same_keys(store: FeatureStore, read: Read) -> None:
    texts = encode_id(POST)  # also a tag: keys that are text stay as they are
    rows = [{"post_id": texts, "tag": texts}, {"post_id": POST, "tag": texts}, {"post_id": "9", "tag": "sea"}]
    assert read(store, rows)["likes"] == [3, 3, 4]


@pytest.mark.parametrize("read", [_read, _read_async])
def test_ids_of_the_api_are_taken_in_columns(store: FeatureStore, read: Read) -> None:
    columns = {"post_id": [encode_id(POST), 9], "tag": [encode_id(POST), "sea"]}
    assert read(store, columns)["likes"] == [3, 4]


def test_a_text_that_is_no_id_is_named(store: FeatureStore) -> None:
    with pytest.raises(InvalidError, match="post_id 'somebody' is neither an id of the API nor a number"):
        _read(store, [{"post_id": "somebody", "tag": "sea"}])
