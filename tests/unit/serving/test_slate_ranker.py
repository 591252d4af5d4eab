"""A slate is counted by what ranked it, its stages are timed, and values that a model lacked are observed."""

import asyncio
from collections import Counter
from datetime import UTC, datetime
from typing import Any, cast

import numpy as np
import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from structlog.testing import capture_logs

from photofeed.features.ranking import FEATURE_NAMES
from photofeed.models.registry import CHAMPION
from photofeed.posts import PostRef
from serving.feed.candidates import Candidates
from serving.feed.explanation import Explanation
from serving.feed.features import FeatureReader, ModelInputs
from serving.feed.history import History
from serving.feed.query import FeedQuery, Viewer
from serving.feed.scorers.fallback_chain import FallbackChain
from serving.feed.scorers.popularity import PopularityScorer
from serving.feed.scorers.recency import RecencyScorer
from serving.feed.slate import Slate
from serving.feed.slate_ranker import Shortlist, SlateRanker
from serving.feed.source_table import Source
from tests.metric_values import metric
from tests.unit.serving.fake_features import FixedFeatures
from tests.unit.serving.fake_models import FakeModels, FixedScorer, model_of

POSTS = (11, 12, 13)
RANKINGS = ("model", "popularity", "recency")
STAGES = ("features", "score", "rerank")
SCORES = FixedScorer(np.array([1.0, 3.0, 2.0]))


class Lacking(FixedFeatures):
    """Features of which two stored values are defaults."""

    def defaulted(self, inputs: ModelInputs) -> dict[str, int]:
        assert inputs.program.names == FEATURE_NAMES
        return {"post_content": 2}


class Reader:
    """Reads such features, or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error

    async def read(self, _: FeedQuery, candidates: Candidates, *__: Any) -> FixedFeatures:
        if self._error:
            raise self._error
        return Lacking(np.ones((len(candidates), len(FEATURE_NAMES)), np.float32))


def _rank(models: FakeModels, error: Exception | None = None, posts: tuple[int, ...] = POSTS) -> Slate:
    ranker = SlateRanker(
        cast("FeatureReader", Reader(error)), FallbackChain(models, [PopularityScorer(), RecencyScorer()]), ()
    )
    refs = [PostRef(post, 1, 7, posted_ms=0) for post in posts]
    candidates = Candidates.from_members([ref.member() for ref in refs], Source.FOLLOWING)
    query = FeedQuery(
        3, datetime.now(UTC), Viewer(frozenset(), frozenset(), 0), History(np.zeros(0, np.int64), np.zeros(0, np.int64))
    )
    none = np.zeros(len(refs), np.int64)
    shortlist = Shortlist(candidates, none.astype(np.bool_), none)
    return asyncio.run(ranker.rank(query, shortlist, CHAMPION, 0, Explanation()))


def _slates() -> Counter[str]:
    return Counter({one: int(metric("photofeed_feed_slates_total", ranking=one)) for one in RANKINGS})


def _stages() -> Counter[str]:
    return Counter({one: int(metric("photofeed_feed_stage_seconds_count", stage=one)) for one in STAGES})


def _defaulted(version: str) -> float:
    return metric("photofeed_model_defaulted_values", version=version, view="post_content")


@pytest.mark.parametrize(
    ("live", "error", "ranking", "defaulted", "logged"),
    [
        (True, None, "model", 2, set()),
        (False, None, "popularity", 0, set()),
        (True, RedisConnectionError("away"), "recency", 0, {"warning"}),
        (True, TimeoutError(), "recency", 0, {"warning"}),
        (True, ValueError("rows of another kind"), "recency", 0, {"error"}),
    ],
)
def test_a_slate_is_counted_by_its_ranking_and_defaults_by_the_model_that_got_them(
    live: bool, error: Exception | None, ranking: str, defaulted: int, logged: set[str]
) -> None:
    version = f"900{RANKINGS.index(ranking)}-{type(error).__name__}"
    slates, stages = _slates(), _stages()
    with capture_logs() as logs:
        slate = _rank(FakeModels(model_of(version, SCORES) if live else None), error)
    assert {entry["log_level"] for entry in logs if entry["event"].startswith("features")} == logged
    assert slate.ranking == ranking
    assert _slates() - slates == Counter({ranking: 1})
    assert _stages() - stages == Counter(STAGES)
    assert _defaulted(version) == defaulted
    if ranking == "model":
        assert slate.items.post_ids.tolist() == [12, 13, 11]
        assert (slate.model_name, slate.model_version, slate.engine) == ("feed-ranker", version, "fixed")
    else:
        assert sorted(slate.items.post_ids.tolist()) == list(POSTS)
        assert (slate.model_name, slate.model_version, slate.engine) == (None, None, None)
