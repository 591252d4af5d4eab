"""Momentum says whether something is taking off, whatever its size."""

import math

import numpy as np

from photofeed.features.counters import AS_OF_FIELD
from photofeed.features.declarations import RankingFeature
from photofeed.features.manifest import FeatureManifest, ManifestView
from photofeed.features.program import FeatureProgram
from photofeed.features.rates import momentum
from photofeed.features.stored import StoredFeatures
from photofeed.online_store.schema import FieldSpec, JoinKey, RowSchema

HOUR, DAY = 3600.0, 86400.0
FIELDS = (
    FieldSpec(AS_OF_FIELD, "INT64", 0),
    FieldSpec("likes_1h", "DOUBLE", 0.0),
    FieldSpec("likes_24h", "DOUBLE", 0.0),
)
VIEW = ManifestView(
    RowSchema("photofeed", "post", (JoinKey("post_id", "INT64"),), FIELDS), {"likes_1h": HOUR, "likes_24h": DAY}
)


def _momentum(hour: float, day: float, later: float = 0.0) -> float:
    columns = {
        f"post__{AS_OF_FIELD}": np.array([1_000_000]),
        "post__likes_1h": np.array([hour]),
        "post__likes_24h": np.array([day]),
    }
    stored = StoredFeatures(columns, FeatureManifest("service", (VIEW,)), now=1.0 + later)
    feature = RankingFeature("momentum", "velocity", momentum("post", "likes_1h", "likes_24h"))
    return float(FeatureProgram([feature]).matrix(stored, 1)[0, 0])


def test_nothing_yet_and_a_steady_pace_are_neither_rise_nor_fall() -> None:
    assert _momentum(0, 0) == 1
    for pace in (0.001, 1.0):  # likes a second, for ever: a counter then stands at pace * half-life / ln 2
        assert math.isclose(_momentum(pace * HOUR / math.log(2), pace * DAY / math.log(2)), 1, rel_tol=1e-6)


def test_what_takes_off_rises_with_evidence_and_what_was_yesterday_falls() -> None:
    assert 1 < _momentum(1, 1) < _momentum(20, 20) < _momentum(1000, 1000) < 24
    assert _momentum(20, 20, later=DAY) < 0.5
