"""One read serves models of different features; each gets the columns, defaults and half-lives of its own contract."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from prometheus_client import REGISTRY

from photofeed.features.declarations import RankingFeature
from photofeed.features.manifest import FeatureManifest, ManifestView
from photofeed.features.program import FeatureProgram
from photofeed.features.ranking import FEATURE_NAMES, PROGRAM
from photofeed.features.ratios import Ratio
from photofeed.online_store.codec import RowCodec, StoredRows
from photofeed.online_store.layouts import LayoutTable
from photofeed.online_store.reader import FetchedRows, PackedReader, PackedView
from photofeed.online_store.schema import FieldSpec
from photofeed.posts import PostRef
from serving.feed import features as feed_features
from serving.feed.candidates import Candidates
from serving.feed.features import OBSERVED_SECONDS, DefaultedValues, FeatureReader, ModelInputs, RequestFeatures
from serving.feed.query import FeedQuery, Viewer
from serving.feed.source_table import Source
from tests.doubles.module_time import patch_time
from tests.served_manifest import SERVED

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
POSTS = Candidates.from_members([PostRef(n, 5, 7, 1).member() for n in (1, 2, 3)], Source.FOLLOWING)
QUERY = FeedQuery(9, NOW, Viewer(frozenset(), frozenset(), 1))


class StoredReader(PackedReader):
    """A reader of rows in which every number is 2, as of now; the second entity of a view has no row."""

    def __init__(self) -> None:
        super().__init__([])
        self.asked: list[list[str]] = []

    async def fetch_async(self, entities: Mapping[str, NDArray[Any]], views: Any) -> FetchedRows:
        by_rows: dict[Any, PackedView] = {view.stored: view for view in views}
        self.asked.append([view.schema.view for view in by_rows.values()])
        return FetchedRows({stored: self._rows(view, entities) for stored, view in by_rows.items()})

    @staticmethod
    def _rows(view: PackedView, entities: Mapping[str, NDArray[Any]]) -> tuple[StoredRows, NDArray[np.int64]]:
        keys = view.keys.distinct(entities)
        schema = SERVED.view(view.schema.view).schema
        values = np.zeros(keys.count, schema.values_dtype)
        for field in schema.fixed_fields:
            values[field.name] = NOW.timestamp() * 1e6 if field.name in ("as_of", "posted_at") else 2
        rows: list[bytes | None] = [*RowCodec(schema).encode(values, np.ones(keys.count, np.int64))]
        rows[1:2] = [None] * len(rows[1:2])
        return StoredRows.of_values(rows, LayoutTable([schema])), keys.index


def _read(reader: StoredReader, models: Sequence[ModelInputs], features: FeatureReader) -> RequestFeatures:
    assert reader is features._reader
    return asyncio.run(features.read(QUERY, POSTS, models))


@pytest.fixture
def stored() -> StoredReader:
    return StoredReader()


@pytest.fixture
def features(stored: StoredReader) -> FeatureReader:
    return FeatureReader(SERVED, stored)


def _changed(view: str, change: Any) -> FeatureManifest:
    views = tuple(change(one) if one.name == view else one for one in SERVED.views)
    return FeatureManifest("feed_ranker_v1", views)


def test_models_share_one_read_and_get_their_own_columns(stored: StoredReader, features: FeatureReader) -> None:
    narrow = features.inputs(PROGRAM.select(["follows", "post_likes_24h"]), SERVED)
    found = _read(stored, [narrow, features.default], features)
    (asked,) = stored.asked
    assert len(asked) == len(set(asked)) == len(SERVED.views)
    matrix, whole = found.matrix(narrow), found.matrix(features.default)
    assert matrix.names == ("follows", "post_likes_24h")
    assert whole.names == FEATURE_NAMES
    for name in matrix.names:
        np.testing.assert_array_equal(matrix.column(name), whole.column(name))
    assert matrix.column("post_likes_24h").tolist() == [2, 0, 2]


def test_only_the_views_of_the_models_and_of_the_basics_are_read(stored: StoredReader, features: FeatureReader) -> None:
    aspect = features.inputs(PROGRAM.select(["aspect"]), SERVED)
    found = _read(stored, [aspect], features)
    (asked,) = stored.asked
    assert set(asked) == {"post_content", "post_engagement", "user_creator", "user_topic"}
    assert found.matrix().names == ("aspect",)
    assert found.column("post_likes_24h").tolist() == [2, 0, 2]


def test_each_model_has_the_defaults_of_its_contract(stored: StoredReader, features: FeatureReader) -> None:
    def filled(view: ManifestView) -> ManifestView:
        fields = tuple(replace(one, default=9.0) if one.name == "aspect" else one for one in view.schema.fields)
        return replace(view, schema=replace(view.schema, fields=fields))

    program = PROGRAM.select(["aspect"])
    usual, other = features.inputs(program, SERVED), features.inputs(program, _changed("post_content", filled))
    found = _read(stored, [usual, other], features)
    np.testing.assert_array_equal(found.matrix(usual).values[:, 0], [2, np.nan, 2])
    np.testing.assert_array_equal(found.matrix(other).values[:, 0], [2, 9, 2])
    assert found.defaulted(usual) == {"post_content": 1}


def test_a_field_that_rows_lack_is_default_for_the_model_that_reads_it(
    stored: StoredReader, features: FeatureReader
) -> None:
    def gained(view: ManifestView) -> ManifestView:
        new = FieldSpec("shares_1h", "DOUBLE", 0.0)
        return replace(view, schema=replace(view.schema, fields=(new, *view.schema.fields)))

    shares = RankingFeature("shares", "own", Ratio("post_engagement", "shares_1h", "impressions_7d", weight=1.0))
    newer = features.inputs(FeatureProgram([shares]), _changed("post_engagement", gained))
    found = _read(stored, [newer, features.default], features)
    assert found.matrix(newer).values[:, 0].tolist() == [0, 0, 0]
    assert found.matrix(features.default).column("post_impressions_7d").tolist() == [2, 0, 2]
    # shares of three posts, and impressions of the one without a row
    assert found.defaulted(newer) == {"post_engagement": 4}
    DefaultedValues().observe("77", newer, found)
    labels = {"version": "77", "view": "post_engagement"}
    assert REGISTRY.get_sample_value("photofeed_model_defaulted_values", labels) == 4


def test_a_feature_of_another_meaning_is_not_taken_for_a_reason(stored: StoredReader, features: FeatureReader) -> None:
    other = RankingFeature("post_likes_24h", "own", Ratio("post_engagement", "likes_24h", factor=50.0))
    model = features.inputs(FeatureProgram([other]), SERVED)
    found = _read(stored, [model], features)
    assert found.matrix().values[:, 0].tolist() == [100, 0, 100]
    assert found.column("post_likes_24h").tolist() == [2, 0, 2]


def test_given_values_replace_what_was_read_up_to_the_cap_of_their_feature(
    stored: StoredReader, features: FeatureReader
) -> None:
    at = int(np.flatnonzero(np.isfinite(PROGRAM.caps))[0])
    name, cap = PROGRAM.names[at], float(PROGRAM.caps[at])
    read = _read(stored, [features.default], features).matrix()
    given = {name: np.array([cap + 1, cap / 2, np.nan], np.float32), "not of this model": np.zeros(3, np.float32)}
    matrix = asyncio.run(features.read(QUERY, POSTS, [features.default], given)).matrix()
    assert matrix.column(name).tolist() == [cap, cap / 2, read.column(name)[2]]
    others = np.arange(len(FEATURE_NAMES)) != at
    np.testing.assert_array_equal(matrix.values[:, others], read.values[:, others])


def test_defaulted_values_of_a_version_are_counted_now_and_then(
    stored: StoredReader, features: FeatureReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, counts = [1_000.0], {"post_content": 3}
    patch_time(monkeypatch, feed_features, monotonic=lambda: now[0])
    found = _read(stored, [features.default], features)
    monkeypatch.setattr(found, "defaulted", lambda _: counts)
    values = DefaultedValues()

    def observed(version: str) -> float | None:
        values.observe(version, features.default, found)
        return REGISTRY.get_sample_value(
            "photofeed_model_defaulted_values", {"version": version, "view": "post_content"}
        )

    assert observed("81") == 3
    counts["post_content"] = 5
    now[0] += OBSERVED_SECONDS - 1
    assert (observed("81"), observed("82")) == (3, 5)
    now[0] += 1
    assert observed("81") == 5
