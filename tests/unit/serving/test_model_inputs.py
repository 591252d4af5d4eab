"""The input of a model, compiled from stored rows, is what its declarations say in plain numpy, bit by bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from photofeed.features.declarations import Age, Cosine, RankingFeature
from photofeed.features.manifest import FeatureManifest, ManifestView
from photofeed.features.program import FeatureProgram
from photofeed.features.ranking import PROGRAM
from photofeed.features.ratios import Ratio
from photofeed.features.stored import StoredFeatures
from photofeed.online_store.codec import RowCodec, StoredRows
from photofeed.online_store.layouts import LayoutTable
from photofeed.online_store.reader import FetchedRows, PackedReader
from serving.feed.features import BASICS, FeatureReader, RequestFeatures
from tests.served_manifest import SERVED
from tests.unit.photofeed.plain_features import plain_matrix

NOW = 1_790_000_000.25
OTHERS = (
    RankingFeature("days", "own", Age("post_content", "posted_at", unit_seconds=86_400.0)),
    RankingFeature("quality", "own", Ratio("post_content", "sharpness", "entropy", weight=1.0)),
    RankingFeature(
        "taste",
        "own",
        Cosine(
            (("user_activity", "likes_7d"), ("user_activity", "dwell_7d"), ("user_creator", "follows")),
            (("post_engagement", "likes_24h"), ("post_engagement", "dwell_7d"), ("user_topic", "hides_30d")),
        ),
    ),
)
READER = PackedReader([])
FEATURES = FeatureReader(SERVED, READER)


def _rows(view: ManifestView, count: int, rng: np.random.Generator) -> tuple[StoredRows, NDArray[np.int64]]:
    """Rows of half as many entities, some missing, some values null; counters of all sizes, some of the future."""
    entities, schema = 1 + count // 2, view.schema
    values = np.zeros(entities, schema.values_dtype)
    for field in schema.fixed_fields:
        if field.name in ("as_of", "posted_at"):
            ago = rng.exponential(2e5, entities) - 100
            values[field.name] = np.where(rng.random(entities) < 0.1, 0, (NOW - ago) * 1e6)
        else:
            values[field.name] = rng.lognormal(1, 2, entities) * (rng.random(entities) < 0.8) - 0.01
    nulls = rng.random((entities, len(schema.fields))) < rng.choice([0.0, 0.2])
    encoded = RowCodec(schema).encode(values, np.ones(entities, np.int64), None, nulls)
    stored = [row if rng.random() < 0.8 else None for row in encoded]
    return StoredRows.of_values(stored, LayoutTable([schema])), rng.integers(0, entities, count)


def _fetched(count: int, seed: int) -> tuple[FetchedRows, StoredFeatures]:
    """Rows for so many candidates, and the same as columns."""
    rng, rows = np.random.default_rng(seed), {}
    columns: dict[str, NDArray[np.generic]] = {}
    for view in SERVED.views:
        known = READER.view(view.schema)
        rows[known.stored] = _rows(view, 1 if view.name == "user_activity" else count, rng)
        values = FetchedRows(rows).rows(known).values
        columns |= {f"{view.name}__{field.name}": values[field.name] for field in view.schema.fixed_fields}
    return FetchedRows(rows), StoredFeatures(columns, SERVED, NOW)


@given(count=st.integers(1, 40), seed=st.integers(0, 2**32))
def test_the_input_of_a_model_is_what_its_declarations_say(count: int, seed: int) -> None:
    program = FeatureProgram([*OTHERS, *PROGRAM.features])
    fetched, stored = _fetched(count, seed)
    inputs = FEATURES.inputs(program, SERVED)
    found = RequestFeatures(fetched, inputs, FEATURES.basics, NOW, count)
    expected = plain_matrix(program, stored, count)
    np.testing.assert_array_equal(found.matrix().values, expected)
    np.testing.assert_array_equal(program.matrix(stored, count), expected)
    few = RequestFeatures(fetched, FEATURES.inputs(FeatureProgram(OTHERS), SERVED), FEATURES.basics, NOW, count)
    for name in BASICS:
        np.testing.assert_array_equal(few.column(name), expected[:, program.names.index(name)])


def test_a_column_that_a_manifest_lacks_is_named() -> None:
    fetched, _ = _fetched(3, 0)
    without = FeatureManifest("old", tuple(view for view in SERVED.views if view.name != "user_topic"))
    inputs = FEATURES.inputs(PROGRAM, without)
    with pytest.raises(KeyError, match="user_topic__engagement_30d"):
        RequestFeatures(fetched, inputs, FEATURES.basics, NOW, 3).matrix()
