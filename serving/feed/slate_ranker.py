"""The stages from candidates to a slate: features, scores, and the rules. Feeds and given candidates share them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import structlog
from numpy.typing import NDArray
from prometheus_client import Counter
from redis.exceptions import RedisError

from photofeed.ids import uuid7
from photofeed.models.registry import CHAMPION
from serving.feed.candidates import Candidates, Ids, Mask
from serving.feed.explanation import Explanation
from serving.feed.features import REASON_FEATURES, DefaultedValues, FeatureMatrix, FeatureReader, RequestFeatures
from serving.feed.query import FeedQuery
from serving.feed.rerankers import Ranking, Reranker, best_first, rerank
from serving.feed.rerankers.author_spacing import have_one_author
from serving.feed.rerankers.shown_less import dislike_flags
from serving.feed.scorers import Scores
from serving.feed.scorers.fallback_chain import RANKINGS, FallbackChain
from serving.feed.slate import Slate, SlateItems
from serving.feed.stage_times import timed

log = structlog.get_logger(__name__)

RANKED = Counter("photofeed_feed_slates", "Slates by ranker", ["ranking"])


@dataclass(frozen=True, slots=True)
class Shortlist:
    """Candidates that passed the filters.

    Attributes:
        candidates: n posts.
        seen: bool (n,), those that the viewer recently saw; a feed has them only if there are too few others.
        exposures: int64 (n,), number of the author's posts that the viewer recently saw.
        given: features that the request states instead of those that are read: float32 (n,), NaN where it does not.
    """

    candidates: Candidates
    seen: Mask
    exposures: Ids
    given: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SlateRanker:
    """Runs the stages. `rules` are those of `rerankers/`, in order."""

    features: FeatureReader
    fallback_chain: FallbackChain
    rules: Sequence[Reranker]
    defaulted: DefaultedValues = field(default_factory=DefaultedValues)

    def __post_init__(self) -> None:
        RANKED.labels(RANKINGS[CHAMPION])  # from zero on, for the alert about servers that never rank by a model

    async def rank(
        self, query: FeedQuery, shortlist: Shortlist, ranker: str, shortest: int, explanation: Explanation
    ) -> Slate:
        """The slate of a shortlist, whose fields that only a feed has are at their defaults.

        Args:
            query: the viewer, and the time of the features.
            shortlist: what is ranked.
            ranker: as for `FallbackChain.score`.
            shortest: the shortest slate that is worth showing.
            explanation: is told what each stage did.
        """
        candidates = shortlist.candidates
        with timed("features"):
            features = await self._read(query, shortlist, ranker)
        with timed("score"):
            scored = self.fallback_chain.score(candidates, features, ranker)
            model = scored.model
            matrix = features.matrix(model.inputs if model else None) if features else None
            if features and model:
                self.defaulted.observe(model.version, model.inputs, features)
        with timed("rerank"):
            ranking, disliked = self._rerank(query, shortlist, scored.scores, shortest, explanation)
            items = _items(ranking, features, matrix, scored.scores, disliked)
        explanation.candidates, explanation.features = candidates, matrix
        explanation.scores, explanation.items = scored.scores, items
        RANKED.labels(scored.ranking).inc()
        return Slate(
            id=uuid7(),
            user_id=query.user_id,
            ranking=scored.ranking,
            model_name=model.contract.model_name if model else None,
            model_version=model.version if model else None,
            engine=model.scorer.engine if model else None,
            items=items,
            ranked_at=query.now,
            instead_of=scored.instead_of,
            ranker=ranker,
            one_author=have_one_author(candidates),
            repeats=explanation.repeats,
            feature_names=matrix.names if matrix else (),
        )

    async def _read(self, query: FeedQuery, shortlist: Shortlist, ranker: str) -> RequestFeatures | None:
        if not len(shortlist.candidates):
            return None
        models = self.fallback_chain.inputs(ranker)
        try:
            return await self.features.read(query, shortlist.candidates, models, shortlist.given)
        except (RedisError, TimeoutError) as error:
            log.warning("features unavailable", error=repr(error))
        except Exception as error:  # noqa: BLE001  whatever the store contains, recency needs no features
            log.error("features cannot be read", error=repr(error))
        return None

    def _rerank(
        self, query: FeedQuery, shortlist: Shortlist, scores: Scores, shortest: int, explanation: Explanation
    ) -> tuple[Ranking, NDArray[np.int8]]:
        """Order the candidates into a slate by the rules. Returns the order, and what the viewer hid like it."""
        by_score = best_first(scores)
        is_seen = shortlist.seen[by_score]
        ranking = Ranking(
            candidates=shortlist.candidates,
            scores=scores,
            propensities=np.ones(len(scores)),
            rows=by_score[~is_seen],
            repeats=by_score[is_seen],
            exposures=shortlist.exposures,
            seconds=query.seconds,
            shortest=shortest,
            dislikes=query.viewer.dislikes.followed_by(query.history.dislikes),
        )
        ranking, explanation.steps = rerank(ranking, self.rules)
        explanation.repeats = int(np.count_nonzero(shortlist.seen[ranking.rows]))
        return ranking, dislike_flags(ranking.candidates, ranking.dislikes)


def _items(
    ranking: Ranking,
    features: RequestFeatures | None,
    matrix: FeatureMatrix | None,
    scores: Scores,
    disliked: NDArray[np.int8],
) -> SlateItems:
    rows, candidates = ranking.rows, ranking.candidates
    reasons = np.zeros((len(rows), len(REASON_FEATURES)), np.float32)
    if features:
        for at, name in enumerate(REASON_FEATURES):
            reasons[:, at] = features.column(name)[rows]
    return SlateItems(
        post_ids=candidates.post_ids[rows],
        author_ids=candidates.author_ids[rows],
        sources=candidates.sources[rows].astype(np.int8),
        scores=scores[rows],
        propensities=ranking.propensities[rows],
        disliked=disliked[rows],
        reasons=reasons,
        # half the time of values[rows]
        features=matrix.values.take(rows, axis=0) if matrix else np.empty((len(rows), 0), np.float32),
    )
