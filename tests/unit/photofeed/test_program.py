"""Declarations as data: what they compute, how they travel, and what is refused."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import orjson
import pytest

from photofeed.errors import InvalidError
from photofeed.features.declarations import Age, Cosine, DeclarationError, Function, RankingFeature
from photofeed.features.manifest import FeatureManifest
from photofeed.features.program import FeatureProgram, UnknownFeatureError
from photofeed.features.ranking import FEATURE_NAMES, PROGRAM, program_named
from photofeed.features.rates import momentum
from photofeed.features.ratios import Ratio
from photofeed.features.stored import StoredFeatures
from tests.served_manifest import SERVED
from tests.unit.photofeed.golden_rows import FILE, NOW, ROWS, stored_columns

LIKES = RankingFeature("likes", "velocity", Ratio("post_engagement", "likes_24h"))


def _stored() -> StoredFeatures:
    return StoredFeatures(stored_columns(), SERVED, NOW)


def _travelled(program: FeatureProgram) -> FeatureProgram:
    plain = orjson.loads(orjson.dumps(program.to_plain()))
    return FeatureProgram(RankingFeature.from_plain(one) for one in plain)


def test_the_features_of_release_0_1_keep_their_values() -> None:
    golden = np.load(FILE)
    program = program_named(golden["names"].tolist())
    np.testing.assert_allclose(program.matrix(_stored(), ROWS), golden["matrix"], rtol=1e-6)


def test_declarations_survive_json_and_compute_the_same() -> None:
    cosine = Cosine((("user_activity", "likes_7d"),), (("post_engagement", "likes_24h"),))
    program = FeatureProgram([*PROGRAM.features, RankingFeature("alike", "taste", cosine)])
    again = _travelled(program)
    assert again.features == program.features
    assert again == program
    assert again.matrix(_stored(), ROWS).tobytes() == program.matrix(_stored(), ROWS).tobytes()
    assert np.array_equal(again.caps, program.caps)


def test_programs_are_equal_if_they_compute_the_same_columns() -> None:
    program = FeatureProgram([LIKES, *PROGRAM.features[:2]])
    same = FeatureProgram([LIKES, *PROGRAM.features[:2]])
    assert (program == same, hash(program) == hash(same)) == (True, True)
    others: list[object] = [
        FeatureProgram([*PROGRAM.features[:2], LIKES]),
        FeatureProgram([LIKES, PROGRAM.features[0]]),
        FeatureProgram([replace(LIKES, name="other"), *PROGRAM.features[:2]]),
        FeatureProgram([replace(LIKES, of=Ratio("post_engagement", "saves_24h")), *PROGRAM.features[:2]]),
        program.hash,
    ]
    assert [program == other for other in others] == [False] * len(others)


def test_a_program_of_some_features_has_their_columns_in_its_own_order() -> None:
    names = FEATURE_NAMES[20:2:-3]
    columns = dict(zip(FEATURE_NAMES, PROGRAM.matrix(_stored(), ROWS).T, strict=True))
    matrix = PROGRAM.select(names).matrix(_stored(), ROWS)
    np.testing.assert_array_equal(matrix, np.stack([columns[name] for name in names], axis=1))
    assert matrix.flags.c_contiguous


def test_what_a_program_reads_is_enough_to_compute_it() -> None:
    program = PROGRAM.select(["post_age_hours", "content_type_affinity", "creator_momentum"])
    assert program.views == ("post_content", "user_activity", "creator_engagement")
    times = [f"{view}__as_of" for view in program.views]
    read = {name: column for name, column in stored_columns().items() if name in (*program.reads, *times)}
    matrix = program.matrix(StoredFeatures(read, SERVED, NOW), ROWS)
    np.testing.assert_array_equal(matrix, program.matrix(_stored(), ROWS))


def test_an_age_is_in_its_own_unit() -> None:
    hours, days = (
        RankingFeature("age", "recency", Age("post_content", "posted_at", unit_seconds=unit))
        for unit in (3600.0, 86400.0)
    )
    matrix = FeatureProgram([hours, replace(days, name="days")]).matrix(_stored(), ROWS)
    np.testing.assert_allclose(matrix[:, 0], matrix[:, 1] * 24, rtol=1e-6)
    assert np.isnan(matrix).any()
    assert (np.nan_to_num(matrix) >= 0).all()


def test_a_cosine_compares_directions() -> None:
    left, right = [("a", "x"), ("a", "y")], [("b", "x"), ("b", "y")]
    columns = {
        "a__x": np.array([1.0, 1.0, 0.0, 0.0, np.nan]),
        "a__y": np.array([0.0, 1.0, 0.0, 2.0, 1.0]),
        "b__x": np.array([3.0, 1.0, 1.0, 0.0, 1.0]),
        "b__y": np.array([0.0, -1.0, 1.0, -5.0, 1.0]),
    }
    feature = RankingFeature("alike", "taste", Cosine(tuple(left), tuple(right)))
    stored = StoredFeatures(columns, FeatureManifest("service", ()), NOW)
    np.testing.assert_allclose(FeatureProgram([feature]).matrix(stored, 5)[:, 0], [1, 0, 0, -1, math.nan], atol=1e-7)


def test_programs_are_joined_unless_a_name_has_two_meanings() -> None:
    first, second = PROGRAM.select(["aspect", "follows"]), FeatureProgram([LIKES, *PROGRAM.select(["aspect"]).features])
    assert first.followed_by(second).names == ("aspect", "follows", "likes")
    other = replace(LIKES, of=Ratio("post_engagement", "likes_1h"))
    with pytest.raises(InvalidError, match="two meanings of likes"):
        second.followed_by(FeatureProgram([other]))


@pytest.mark.parametrize(
    ("plain", "said"),
    [
        ({"name": "x", "family": "y"}, "feature 'x' is not a declaration"),
        ({"name": "x", "family": "y", "of": {"kind": "moon"}}, "kind 'moon', which this release does not know"),
        ({"name": "x", "family": "y", "of": {"kind": "ratio", "view": "v"}}, "feature 'x' is not a declaration"),
        ({"name": "x", "family": "y", "of": {"kind": "ratio", "view": "v", "numerator": 7}}, "numerator = 7"),
        ({"name": "x", "family": "y", "of": {"kind": "function", "name": "f", "version": "1"}}, "version = '1'"),
        ({"name": "x", "family": "y", "of": {"kind": "age", "view": "v", "field": "f", "unit_seconds": "h"}}, "'h'"),
        ({"name": "x", "family": "y", "of": {"kind": "cosine", "left": [["v"]], "right": [["v", "f"]]}}, "left"),
        ({"name": "x", "family": "y", "of": {"kind": "cosine", "left": [], "right": []}}, "two vectors"),
        ({"name": "", "family": "y", "of": {"kind": "age", "view": "v", "field": "f"}}, "1 to 100 characters"),
        ({"name": "x", "family": "y", "of": {"kind": "age", "view": "v", "field": "f"}, "monotone": 2}, "direction 2"),
    ],
)
def test_what_is_no_declaration_is_refused_with_its_fault(plain: dict[str, Any], said: str) -> None:
    with pytest.raises(DeclarationError, match=said):
        RankingFeature.from_plain(plain)


def test_a_lambda_is_no_declaration() -> None:
    of: Any = lambda stored: stored("post_engagement", "likes_24h")  # noqa: E731
    with pytest.raises(DeclarationError, match="declared by a function: use ratio, age, cosine, function"):
        RankingFeature("likes", "velocity", of)


def test_a_program_names_what_it_lacks() -> None:
    with pytest.raises(UnknownFeatureError, match="no function phase_of_the_moon version 3"):
        FeatureProgram([RankingFeature("moon", "context", Function("phase_of_the_moon", 3))])
    with pytest.raises(UnknownFeatureError, match="declares no features tide, moon"):
        program_named(["tide", "aspect", "moon"])
    with pytest.raises(UnknownFeatureError, match="named tide"):
        PROGRAM.select(["tide"])
    with pytest.raises(InvalidError, match="two features are named likes"):
        FeatureProgram([LIKES, LIKES])
    with pytest.raises(InvalidError, match="needs features"):
        FeatureProgram([])
    unheard = RankingFeature("unheard", "x", momentum("post_engagement", "likes_1m", "likes_24h"))
    with pytest.raises(InvalidError, match="lacks post_engagement:likes_1m, which unheard is computed from"):
        FeatureProgram([unheard]).require_stored(SERVED)
