"""Ratios computed together are what they say, for any columns."""

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from photofeed.arrays import FloatArray
from photofeed.features.counters import AS_OF_FIELD
from photofeed.features.decay import decay
from photofeed.features.manifest import FeatureManifest, ManifestView
from photofeed.features.program import compute
from photofeed.features.ranking import FEATURE_NAMES, RANKING_FEATURES, ranking_matrix
from photofeed.features.ratios import Ratio, Ratios, write_ratios
from photofeed.features.stored import StoredFeatures
from photofeed.online_store.schema import FieldSpec, JoinKey, RowSchema
from photofeed.times import MICROSECONDS

NOW = 1_750_000_000.0
HALF_LIVES = {"likes": 3600.0, "views": float("inf")}
FIELDS = (FieldSpec(AS_OF_FIELD, "INT64", 0), *(FieldSpec(name, "DOUBLE", 0.0) for name in ("likes", "views", "size")))
MANIFEST = FeatureManifest(
    "service",
    (ManifestView(RowSchema("photofeed", "post", (JoinKey("post_id", "INT64"),), FIELDS), HALF_LIVES),),
)
numbers = st.lists(st.floats(-1e6, 1e6) | st.just(float("nan")), min_size=5, max_size=5)


def _columns(likes: list[float], views: list[float], sizes: list[float], ages: list[float]) -> dict[str, FloatArray]:
    moments = np.array([(NOW - age) * MICROSECONDS for age in ages]).astype(np.int64)
    columns = {"likes": likes, "views": views, "size": sizes, AS_OF_FIELD: moments}
    return {f"post__{name}": np.array(values, np.float64) for name, values in columns.items()}


@example(likes=[0.0] * 5, views=[0.0, 1.0, 0.0, 1.0, 0.0], sizes=[-0.5] * 5, ages=[0.0] * 5)
@given(likes=numbers, views=numbers, sizes=numbers, ages=st.lists(st.floats(-100, 1e6), min_size=5, max_size=5))
def test_counters_fade_and_are_never_negative_and_what_is_no_counter_stays(
    likes: list[float], views: list[float], sizes: list[float], ages: list[float]
) -> None:
    columns = _columns(likes, views, sizes, ages)
    stored = StoredFeatures(columns, MANIFEST, NOW)
    elapsed = NOW - columns[f"post__{AS_OF_FIELD}"] / MICROSECONDS
    left = {name: np.maximum(decay(columns[f"post__{name}"], elapsed, s), 0.0) for name, s in HALF_LIVES.items()}
    left["size"] = columns["post__size"]
    ratios = [
        Ratio("post", "likes"),
        Ratio("post", "size"),
        Ratio("post", "likes", "views", factor=24.0, prior=5.0, weight=10.0),
        Ratio("post", "views", "size", weight=0.5),
    ]
    with np.errstate(divide="ignore", invalid="ignore"):  # a size of -0.5 makes it n / 0: infinite, or NaN for 0 / 0
        by_size = left["views"] / (left["size"] + 0.5)
    expected = [
        left["likes"],
        left["size"],
        (24.0 * left["likes"] + 5.0) / (left["views"] + 10.0),
        by_size,
    ]
    np.testing.assert_array_equal(stored.ratios(Ratios(ratios)), np.stack(expected, axis=1))
    for ratio, column in zip(ratios, expected, strict=True):
        np.testing.assert_array_equal(stored.ratio(ratio), column)


def test_one_row_stands_for_all_and_every_row_may_have_its_own_moment() -> None:
    ratio = Ratio("post", "likes", "views", weight=10.0)
    one = StoredFeatures(_columns([8.0], [6.0], [0.0], [0.0]), MANIFEST, NOW + np.array([0.0, 3600.0, 7200.0]))
    np.testing.assert_allclose(one.ratio(ratio), [0.5, 0.25, 0.125])


def test_output_columns_are_kept_and_a_missing_column_is_named() -> None:
    columns, output = _columns([8.0], [6.0], [3.0], [0.0]), np.full((1, 3), -1.0, np.float32)
    Ratios([Ratio("post", "size"), Ratio("post", "likes")], [2, 0]).compute(columns, MANIFEST, NOW, output)
    assert output.tolist() == [[8.0, -1.0, 3.0]]
    with pytest.raises(KeyError, match="post__shares"):
        Ratios([Ratio("post", "shares")]).compute(columns, MANIFEST, NOW, output)


def test_the_matrix_has_every_feature_in_its_column_and_no_viewer_waits_for_a_compiler() -> None:
    names = {name for feature in RANKING_FEATURES if isinstance(feature.of, Ratio) for name in feature.of.terms}
    names |= {
        f"user_activity__{kind}_{what}_30d" for kind in ("photo", "reel") for what in ("engagement", "impressions")
    }
    names |= {"post_content__posted_at"}
    rng = np.random.default_rng(0)
    columns = {name: rng.gamma(1.0, 5.0, 7) for name in sorted(names)}
    stored = StoredFeatures(columns, FeatureManifest("service", ()), NOW)
    matrix = ranking_matrix(stored, 7)
    for name, feature, column in zip(FEATURE_NAMES, RANKING_FEATURES, matrix.T, strict=True):
        expected = np.broadcast_to(compute(feature, stored), 7).astype(np.float32)
        np.testing.assert_array_equal(column, expected, err_msg=name)
    kernel: Any = write_ratios
    assert len(kernel.signatures) == 2, "one for the matrix, one for what others are made of"


def test_a_ratio_is_capped_and_an_unknown_value_stays_unknown() -> None:
    columns = {
        "post__size": np.array([1.0, 700.0, np.nan, np.inf]),
        "post__views": np.zeros(4),
        "post__as_of": np.zeros(4, np.int64),
    }
    output = np.empty((4, 1))
    Ratios([Ratio("post", "size", cap=3.0)]).compute(columns, MANIFEST, NOW, output)
    np.testing.assert_array_equal(output[:, 0], [1.0, 3.0, np.nan, 3.0])
