"""Champion, previous champion, popularity, recency: each step holds when those above it break."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from photofeed.features.ranking import FEATURE_NAMES
from photofeed.posts import PostRef
from serving.feed.candidates import Candidates, Source
from serving.feed.features import FeatureMatrix
from serving.feed.scorers.ladder import Ladder
from serving.feed.scorers.popularity import PopularityScorer
from serving.feed.scorers.recency import RecencyScorer
from serving.feed.scorers.shuffled import ShuffledScorer
from tests.unit.serving.fake_models import FakeModels, FixedScorer, model_of

CANDIDATES = Candidates.from_members([PostRef(n, 1, 1, 0).member() for n in (1, 2, 3)], Source.FOLLOWING)
FEATURES = FeatureMatrix(np.ones((3, len(FEATURE_NAMES)), np.float32))
GOOD = FixedScorer(np.array([3.0, 1.0, 2.0]))
SILENT = FixedScorer(np.full(3, np.nan))


class BrokenScorer(FixedScorer):
    def score(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        raise RuntimeError(f"cannot score {len(matrix)} rows")


BROKEN = BrokenScorer(np.zeros(0))


@pytest.mark.parametrize(
    ("live", "previous", "ranking", "version"),
    [
        (GOOD, GOOD, "model", "2"),
        (BROKEN, GOOD, "previous", "1"),
        (SILENT, GOOD, "previous", "1"),
        (None, GOOD, "previous", "1"),
        (BROKEN, SILENT, "popularity", None),
        (None, None, "popularity", None),
    ],
)
def test_the_highest_step_that_holds_ranks_and_says_so(
    live: FixedScorer | None, previous: FixedScorer | None, ranking: str, version: str | None
) -> None:
    models = FakeModels(model_of("2", live) if live else None, model_of("1", previous) if previous else None)
    scored = Ladder(models, [PopularityScorer(), RecencyScorer()]).score(CANDIDATES, FEATURES)
    assert scored.ranking == ranking
    assert (scored.model.version if scored.model else None) == version
    assert np.isfinite(scored.scores).all()


@pytest.mark.parametrize(
    ("ranker", "challenger", "ranking", "version"),
    [
        ("challenger", GOOD, "challenger", "3"),
        ("challenger", BROKEN, "model", "2"),
        ("challenger", None, "model", "2"),
        ("champion", GOOD, "model", "2"),
        ("recency", GOOD, "recency", None),
        ("random", GOOD, "random", None),
    ],
)
def test_an_experiment_ranks_by_what_it_names_and_by_the_champion_where_that_cannot(
    ranker: str, challenger: FixedScorer | None, ranking: str, version: str | None
) -> None:
    models = FakeModels(model_of("2", GOOD), None, model_of("3", challenger) if challenger else None)
    ladder = Ladder(models, [PopularityScorer(), RecencyScorer()], [ShuffledScorer(np.random.default_rng(0))])
    scored = ladder.score(CANDIDATES, FEATURES, ranker)
    assert (scored.ranking, scored.model.version if scored.model else None) == (ranking, version)


def test_chance_is_never_a_step_of_the_ladder() -> None:
    ladder = Ladder(FakeModels(), [RecencyScorer()], [ShuffledScorer(np.random.default_rng(0))])
    assert ladder.score(CANDIDATES, None).ranking == "recency"


def test_without_features_the_newest_come_first() -> None:
    models = FakeModels(model_of("2", GOOD), model_of("1", GOOD))
    scored = Ladder(models, [PopularityScorer(), RecencyScorer()]).score(CANDIDATES, None)
    assert scored.ranking == "recency"
    assert np.argsort(-scored.scores).tolist() == [2, 1, 0]


@given(arrays(np.float64, 3, elements=st.floats(allow_nan=True, allow_infinity=True)))
def test_what_is_no_number_stands_last(said: NDArray[np.float64]) -> None:
    models = FakeModels(model_of("2", FixedScorer(said)), None)
    scores = Ladder(models, [RecencyScorer()]).score(CANDIDATES, FEATURES).scores
    assert np.isfinite(scores).all()
    finite = np.isfinite(said)
    if finite.any() and np.isnan(said).any():
        assert scores[np.isnan(said)].max() <= scores[finite].min()
