"""Champion, previous champion, popularity, recency: each ranks if those before it cannot."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from prometheus_client import REGISTRY

from photofeed.features.ranking import FEATURE_NAMES, PROGRAM
from photofeed.posts import PostRef
from serving.feed.candidates import Candidates
from serving.feed.scorers.fallback_chain import FallbackChain
from serving.feed.scorers.popularity import PopularityScorer
from serving.feed.scorers.recency import RecencyScorer
from serving.feed.scorers.shuffled import ShuffledScorer
from serving.feed.source_table import Source
from tests.unit.serving.fake_features import FixedFeatures
from tests.unit.serving.fake_models import FakeModels, FixedScorer, model_of

CANDIDATES = Candidates.from_members([PostRef(n, 1, 1, 0).member() for n in (1, 2, 3)], Source.FOLLOWING)
FEATURES = FixedFeatures(np.ones((3, len(FEATURE_NAMES)), np.float32))
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
def test_the_first_ranker_that_works_ranks_and_is_named(
    live: FixedScorer | None, previous: FixedScorer | None, ranking: str, version: str | None
) -> None:
    models = FakeModels(model_of("2", live) if live else None, model_of("1", previous) if previous else None)
    before = _failed("champion"), _failed("previous")
    scored = FallbackChain(models, [PopularityScorer(), RecencyScorer()]).score(CANDIDATES, FEATURES)
    fails = [one in (BROKEN, SILENT) for one in (live, previous)]
    assert (_failed("champion"), _failed("previous")) == (before[0] + fails[0], before[1] + fails[1])
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
def test_an_experiment_ranks_by_its_ranker_or_else_by_the_champion(
    ranker: str, challenger: FixedScorer | None, ranking: str, version: str | None
) -> None:
    models = FakeModels(model_of("2", GOOD), None, model_of("3", challenger) if challenger else None)
    chain = FallbackChain(models, [PopularityScorer(), RecencyScorer()], [ShuffledScorer(np.random.default_rng(0))])
    before = _fallbacks(ranker)
    scored = chain.score(CANDIDATES, FEATURES, ranker)
    assert (scored.ranking, scored.model.version if scored.model else None) == (ranking, version)
    fell_back = ranker == "challenger" and ranking != "challenger"
    assert scored.instead_of == (ranker if fell_back else None)
    assert _fallbacks(ranker) == before + fell_back


@pytest.mark.parametrize(("previous", "ranking"), [(GOOD, "previous"), (BROKEN, "model"), (None, "model")])
def test_a_request_for_the_previous_champion_falls_back_to_the_champion(
    previous: FixedScorer | None, ranking: str
) -> None:
    models = FakeModels(model_of("2", GOOD), model_of("1", previous) if previous else None)
    scored = FallbackChain(models, [PopularityScorer(), RecencyScorer()]).score(CANDIDATES, FEATURES, "previous")
    assert (scored.ranking, scored.instead_of) == (ranking, None if ranking == "previous" else "previous")


@pytest.mark.parametrize("ranker", ["champion", "challenger", "popularity"])
def test_without_features_the_reply_names_the_ranker_that_should_have_ranked(ranker: str) -> None:
    models = FakeModels(model_of("2", GOOD), None, model_of("3", GOOD))
    scored = FallbackChain(models, [PopularityScorer(), RecencyScorer()]).score(CANDIDATES, None, ranker)
    assert (scored.ranking, scored.instead_of) == ("recency", ranker)


def test_a_feed_without_posts_is_no_fallback() -> None:
    scored = FallbackChain(FakeModels(model_of("2", GOOD)), [RecencyScorer()]).score(Candidates.empty(), None)
    assert scored.instead_of is None


def _fallbacks(ranker: str) -> float:
    return REGISTRY.get_sample_value("photofeed_feed_fallbacks_total", {"ranker": ranker}) or 0.0


def _failed(alias: str) -> float:
    return REGISTRY.get_sample_value("photofeed_feed_model_failures_total", {"alias": alias}) or 0.0


@pytest.mark.parametrize(
    ("champion", "previous", "challenger", "versions"),
    [
        ("2", "1", "3", {"1": "previous", "2": "champion", "3": "challenger"}),
        ("2", "1", "2", {"1": "previous", "2": "champion"}),
        ("2", "1", "1", {"1": "previous", "2": "champion"}),
        (None, None, "3", {"3": "challenger"}),
        (None, None, None, {}),
    ],
)
def test_a_version_ranks_by_the_first_ranker_that_has_it(
    champion: str | None, previous: str | None, challenger: str | None, versions: dict[str, str]
) -> None:
    models = FakeModels(*(model_of(one, GOOD) if one else None for one in (champion, previous, challenger)))
    assert FallbackChain(models, []).versions == versions


def test_the_random_ranker_is_not_in_the_fallback_chain() -> None:
    chain = FallbackChain(FakeModels(), [RecencyScorer()], [ShuffledScorer(np.random.default_rng(0))])
    assert chain.score(CANDIDATES, None).ranking == "recency"


def test_without_features_the_newest_posts_come_first() -> None:
    models = FakeModels(model_of("2", GOOD), model_of("1", GOOD))
    scored = FallbackChain(models, [PopularityScorer(), RecencyScorer()]).score(CANDIDATES, None)
    assert scored.ranking == "recency"
    assert np.argsort(-scored.scores).tolist() == [2, 1, 0]


def test_features_are_read_for_the_models_that_may_score() -> None:
    champion, previous, challenger = model_of("2", GOOD), model_of("1", GOOD), model_of("3", GOOD)
    chain = FallbackChain(FakeModels(champion, previous, challenger), [])
    assert chain.inputs() == [champion.inputs, previous.inputs]
    assert chain.inputs("challenger") == [challenger.inputs, champion.inputs, previous.inputs]
    assert FallbackChain(FakeModels(None, previous), []).inputs() == [previous.inputs]
    assert FallbackChain(FakeModels(), []).inputs() == []


class SumScorer(FixedScorer):
    """The sum of each row's features."""

    def score(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        sums: NDArray[np.float64] = matrix.astype(np.float64).sum(axis=1)
        return sums


def test_each_model_scores_its_own_features() -> None:
    values = np.zeros((3, len(FEATURE_NAMES)), np.float32)
    values[:, FEATURE_NAMES.index("aspect")] = [1, 2, 3]
    values[:, FEATURE_NAMES.index("follows")] = [30, 20, 10]
    both = PROGRAM.select(["follows", "aspect"])
    models = FakeModels(
        live=model_of("2", SumScorer(np.zeros(0)), program=PROGRAM.select(["aspect"])),
        previous=model_of("1", GOOD),
        challenger=model_of("3", SumScorer(np.zeros(0)), program=both),
    )
    chain = FallbackChain(models, [RecencyScorer()])
    assert chain.score(CANDIDATES, FixedFeatures(values)).scores.tolist() == [1, 2, 3]
    assert chain.score(CANDIDATES, FixedFeatures(values), "challenger").scores.tolist() == [31, 22, 13]


SCORES = st.sampled_from([np.nan, np.inf, -np.inf]) | st.floats(allow_nan=False, allow_infinity=False)


@given(arrays(np.float64, 3, elements=SCORES, fill=st.nothing()))
@example(np.array([1.0, np.nan, -1.0]))
@example(np.array([np.nan, np.inf, -np.inf]))
def test_posts_with_nan_scores_are_ranked_last(model_scores: NDArray[np.float64]) -> None:
    models = FakeModels(model_of("2", FixedScorer(model_scores)), None)
    scores = FallbackChain(models, [RecencyScorer()]).score(CANDIDATES, FEATURES).scores
    assert np.isfinite(scores).all()
    is_nan = np.isnan(model_scores)
    if is_nan.any() and not is_nan.all():
        assert scores[is_nan].max() <= scores[~is_nan].min()
    finite = np.isfinite(model_scores)
    assert (np.argsort(scores[finite], kind="stable") == np.argsort(model_scores[finite], kind="stable")).all()
