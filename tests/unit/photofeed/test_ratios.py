"""Ratios computed together are what they say, for any columns."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from photofeed.arrays import FloatArray
from photofeed.features import ages, counter_decay, ratios
from photofeed.features.counters import AS_OF_FIELD
from photofeed.features.declarations import RankingFeature
from photofeed.features.manifest import FeatureManifest, ManifestView
from photofeed.features.program import FeatureProgram
from photofeed.features.ranking import RANKING_FEATURES, ranking_matrix
from photofeed.features.ratios import Ratio, Ratios
from photofeed.features.stored import StoredFeatures
from photofeed.online_store.schema import FieldSpec, JoinKey, RowSchema
from photofeed.times import MICROSECONDS
from tests.unit.photofeed.plain_features import plain_matrix

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


def _program(of: Sequence[Ratio]) -> FeatureProgram:
    return FeatureProgram(RankingFeature(f"ratio_{number}", "any", ratio) for number, ratio in enumerate(of))


def _matrix(of: Sequence[Ratio], stored: StoredFeatures, rows: int) -> NDArray[np.float32]:
    return _program(of).matrix(stored, rows)


@example(likes=[0.0] * 5, views=[0.0, 1.0, 0.0, 1.0, 0.0], sizes=[-0.5] * 5, ages=[0.0] * 5)
@given(likes=numbers, views=numbers, sizes=numbers, ages=st.lists(st.floats(-100, 1e6), min_size=5, max_size=5))
def test_counters_fade_and_are_never_negative_and_what_is_no_counter_stays(
    likes: list[float], views: list[float], sizes: list[float], ages: list[float]
) -> None:
    stored = StoredFeatures(_columns(likes, views, sizes, ages), MANIFEST, NOW)
    of = [
        Ratio("post", "likes"),
        Ratio("post", "size"),
        Ratio("post", "likes", "views", factor=24.0, prior=5.0, weight=10.0),
        Ratio("post", "views", "size", weight=0.5),
    ]
    matrix = _matrix(of, stored, 5)
    np.testing.assert_array_equal(matrix, plain_matrix(_program(of), stored, 5))
    assert not (matrix[:, 0] < 0).any()
    for column, ratio in enumerate(of):
        np.testing.assert_array_equal(_matrix([ratio], stored, 5)[:, 0], matrix[:, column])


def test_one_row_stands_for_all_and_every_row_may_have_its_own_moment() -> None:
    ratio = Ratio("post", "likes", "views", weight=10.0)
    one = StoredFeatures(_columns([8.0], [6.0], [0.0], [0.0]), MANIFEST, NOW + np.array([0.0, 3600.0, 7200.0]))
    np.testing.assert_allclose(_matrix([ratio], one, 3)[:, 0], [0.5, 0.25, 0.125])


def test_output_columns_are_kept_and_a_missing_column_is_named() -> None:
    values, output = np.array([[8.0], [3.0]]), np.full((1, 3), -1.0, np.float32)
    Ratios([Ratio("post", "size"), Ratio("post", "likes")], ["post__likes", "post__size"], [2, 0]).write(values, output)
    assert output.tolist() == [[8.0, -1.0, 3.0]]
    with pytest.raises(KeyError, match="post__shares"):
        _matrix([Ratio("post", "shares")], StoredFeatures(_columns([8.0], [6.0], [3.0], [0.0]), MANIFEST, NOW), 1)


@pytest.mark.parametrize("rows", [0, 1, 7])
def test_the_matrix_has_every_feature_in_its_column_and_no_viewer_waits_for_a_compiler(rows: int) -> None:
    names = {name for feature in RANKING_FEATURES if isinstance(feature.of, Ratio) for name in feature.of.terms}
    names |= {
        f"user_activity__{kind}_{what}_30d" for kind in ("photo", "reel") for what in ("engagement", "impressions")
    }
    names |= {"post_content__posted_at"}
    rng = np.random.default_rng(0)
    columns = {name: rng.gamma(1.0, 5.0, rows) for name in sorted(names)}
    stored = StoredFeatures(columns, FeatureManifest("service", ()), NOW)
    np.testing.assert_array_equal(
        ranking_matrix(stored, rows), plain_matrix(FeatureProgram(RANKING_FEATURES), stored, rows)
    )
    loops: list[Any] = [ratios.write_ratios, ages.write_ages, counter_decay.write_exponents]
    loops.append(counter_decay.decay_counters)
    # ratios: one for the matrix, one for what others are made of
    assert [len(loop.signatures) for loop in loops] == [2, 1, 1, 1]


def test_a_ratio_is_capped_and_an_unknown_value_stays_unknown() -> None:
    columns = {
        "post__size": np.array([1.0, 700.0, np.nan, np.inf]),
        "post__views": np.zeros(4),
        "post__as_of": np.zeros(4, np.int64),
    }
    capped = _matrix([Ratio("post", "size", cap=3.0)], StoredFeatures(columns, MANIFEST, NOW), 4)
    np.testing.assert_array_equal(capped[:, 0], [1.0, 3.0, np.nan, 3.0])
