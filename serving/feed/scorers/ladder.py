"""The ladder of ways to rank, best first: champion, previous champion, popularity, recency.

Each step is taken when the one above cannot score: there is no such model, it raises, or nothing it says is a number.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import structlog
from prometheus_client import Counter

from photofeed.errors import RetryableError
from photofeed.model_contract import CHALLENGER, CHAMPION, PREVIOUS, ModelContract
from photofeed.scorer import Scorer
from serving.feed.candidates import Candidates
from serving.feed.features import FeatureMatrix, FeatureReader
from serving.feed.scorers import CandidateScorer, Scores

log = structlog.get_logger(__name__)

FAILED = Counter("photofeed_feed_model_failures", "Slates that a loaded model could not score", ["alias"])


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model ready to rank: scorer and the reader of exactly the features it was trained on."""

    version: str
    contract: ModelContract
    scorer: Scorer
    features: FeatureReader


class Models(Protocol):
    """The models at hand; either may be missing."""

    @property
    def live(self) -> LoadedModel | None:
        """The champion."""

    @property
    def previous(self) -> LoadedModel | None:
        """The champion before it."""

    @property
    def challenger(self) -> LoadedModel | None:
        """The model that an experiment may rank by."""


@dataclass(frozen=True, slots=True)
class Scored:
    """Scores, the step of the ladder they come from as the reply names it, and the model if one made them."""

    ranking: str
    scores: Scores
    model: LoadedModel | None = None


class Ladder:
    """Scores candidates by the highest step that holds; `baselines` are no steps, only there to compare with."""

    def __init__(
        self, models: Models, fallbacks: Sequence[CandidateScorer], baselines: Sequence[CandidateScorer] = ()
    ) -> None:
        self._models = models
        self._fallbacks = fallbacks
        self._baselines = {scorer.ranking: scorer for scorer in (*fallbacks, *baselines)}

    @property
    def model(self) -> LoadedModel | None:
        """The best model at hand, whose features are to be read."""
        return self._models.live or self._models.previous

    def score(self, candidates: Candidates, features: FeatureMatrix | None, ranker: str = CHAMPION) -> Scored:
        """Finite scores; of a model that fails for some posts only, those sink to the bottom.

        Args:
            candidates: n posts.
            ranker: the champion; or what an experiment ranks by, `challenger` or a scorer without a model by name.
                Where that cannot score, the ladder is gone down as always.
            features: of them, or None if they could not be read; then no model and no popularity can score. The
                previous champion scores what was read for the champion: both were let in for the same columns.

        Raises:
            RetryableError: not even the last step holds.
        """
        if ranker in self._baselines:
            scorer = self._baselines[ranker]
            with contextlib.suppress(RetryableError):
                return Scored(ranker, _sink_nan(scorer.score(candidates, features)))
        if features is not None:
            challenger = self._models.challenger if ranker == CHALLENGER else None
            steps = (
                (CHALLENGER, CHALLENGER, challenger),
                ("model", CHAMPION, self._models.live),
                ("previous", PREVIOUS, self._models.previous),
            )
            for ranking, alias, model in steps:
                scores = _score(model, alias, features) if model else None
                if scores is not None:
                    return Scored(ranking, scores, model)
        for scorer in self._fallbacks:
            try:
                return Scored(scorer.ranking, _sink_nan(scorer.score(candidates, features)))
            except RetryableError:
                continue
        raise RetryableError("There is no way to rank a feed right now.")


def _score(model: LoadedModel, alias: str, features: FeatureMatrix) -> Scores | None:
    try:
        scores = model.scorer.score(features.values)
    except Exception as error:  # noqa: BLE001  whatever is wrong with a model, there is a step below it
        log.error("a model cannot score", alias=alias, version=model.version, error=repr(error))
        FAILED.labels(alias).inc()
        return None
    if len(scores) and np.isnan(scores).all():
        log.error("a model says nothing that is a number", alias=alias, version=model.version)
        FAILED.labels(alias).inc()
        return None
    return _sink_nan(scores)


def _sink_nan(scores: Scores) -> Scores:
    """Finite scores: what is not a number goes a little below the worst, far enough to stand last."""
    finite = np.isfinite(scores)
    if finite.all():
        return scores
    low, high = (scores[finite].min(), scores[finite].max()) if finite.any() else (0.0, 0.0)
    return np.nan_to_num(np.clip(scores, low - 1.0, high + 1.0), nan=low - 1.0)
