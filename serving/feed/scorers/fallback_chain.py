"""The fallback chain of rankers, best first: champion, previous champion, popularity, recency.

The next ranker is used if the one before it cannot score: the model is missing, raises, or returns only NaN.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import structlog
from prometheus_client import Counter

from photofeed.errors import RetryableError
from photofeed.models.contract import ModelContract
from photofeed.models.registry import CHALLENGER, CHAMPION, PREVIOUS
from photofeed.models.scorer import Scorer
from serving.feed.candidates import Candidates
from serving.feed.features import ModelInputs, RequestFeatures
from serving.feed.scorers import CandidateScorer, Scores

log = structlog.get_logger(__name__)

RANKINGS = {CHAMPION: "model"}  # ranker -> its name in replies, if it has another one there
FALLBACKS = Counter("photofeed_feed_fallbacks", "Slates that another ranker ranked, by the one asked for", ["ranker"])
FAILED = Counter("photofeed_feed_model_failures", "Slates that a loaded model could not score", ["alias"])


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model ready to rank: its scorer, and the inputs that it was trained on."""

    version: str
    contract: ModelContract
    scorer: Scorer
    inputs: ModelInputs


class Models(Protocol):
    """The loaded models; each may be missing."""

    @property
    def live(self) -> LoadedModel | None:
        """The champion."""

    @property
    def previous(self) -> LoadedModel | None:
        """The champion before it."""

    @property
    def challenger(self) -> LoadedModel | None:
        """The model that experiments and shadow scoring use."""


@dataclass(frozen=True, slots=True)
class ScoredCandidates:
    """Scores, the name of the ranker in the reply, and the model if a model made them.

    `instead_of` is the ranker that was asked for, if it could not score and another one did.
    """

    ranking: str
    scores: Scores
    model: LoadedModel | None = None
    instead_of: str | None = None


class FallbackChain:
    """Scores candidates by the first ranker that can. `baselines` are used only if an experiment names them."""

    def __init__(
        self, models: Models, fallbacks: Sequence[CandidateScorer], baselines: Sequence[CandidateScorer] = ()
    ) -> None:
        self._models = models
        self._fallbacks = fallbacks
        self._baselines = {scorer.ranking: scorer for scorer in (*fallbacks, *baselines)}

    def inputs(self, ranker: str = CHAMPION) -> list[ModelInputs]:
        """The inputs of the models that may score a request for this ranker, in the order in which they are tried."""
        return [model.inputs for _, _, model in self._ladder(ranker) if model is not None]

    def score(
        self, candidates: Candidates, features: RequestFeatures | None, ranker: str = CHAMPION
    ) -> ScoredCandidates:
        """Finite scores. Posts for which a model returns NaN are ranked last.

        Args:
            candidates: n posts.
            ranker: the champion; `challenger` or `previous`; or a scorer without a model by name.
                If it cannot score, the chain is used as usual.
            features: read for the models of `inputs`, or None if they could not be read; then neither models nor
                popularity can score.

        Raises:
            RetryableError: no ranker can score.
        """
        scored = self._score(candidates, features, ranker)
        if scored.ranking == RANKINGS.get(ranker, ranker) or not len(candidates):
            return scored
        FALLBACKS.labels(ranker).inc()
        return replace(scored, instead_of=ranker)

    def _ladder(self, ranker: str) -> tuple[tuple[str, str, LoadedModel | None], ...]:
        """The models for a ranker, best first: name in replies, alias, model."""
        champion = (RANKINGS[CHAMPION], CHAMPION, self._models.live)
        previous = (PREVIOUS, PREVIOUS, self._models.previous)
        if ranker == CHALLENGER:
            return (CHALLENGER, CHALLENGER, self._models.challenger), champion, previous
        return (previous, champion) if ranker == PREVIOUS else (champion, previous)

    @property
    def versions(self) -> dict[str, str]:
        """Version of each loaded model -> the ranker that it is first for."""
        ladder = [*self._ladder(CHALLENGER)[1:], self._ladder(CHALLENGER)[0]]
        return {model.version: alias for _, alias, model in reversed(ladder) if model is not None}

    def _score(self, candidates: Candidates, features: RequestFeatures | None, ranker: str) -> ScoredCandidates:
        if ranker in self._baselines:
            scorer = self._baselines[ranker]
            with contextlib.suppress(RetryableError):
                return ScoredCandidates(ranker, _sink_nan(scorer.score(candidates, features)))
        if features is not None:
            for ranking, alias, model in self._ladder(ranker):
                scores = _score(model, alias, features) if model else None
                if scores is not None:
                    return ScoredCandidates(ranking, scores, model)
        for scorer in self._fallbacks:
            try:
                return ScoredCandidates(scorer.ranking, _sink_nan(scorer.score(candidates, features)))
            except RetryableError:
                continue
        raise RetryableError("The feed cannot be ranked right now. Please try again in a moment.")


def _score(model: LoadedModel, alias: str, features: RequestFeatures) -> Scores | None:
    try:
        scores = model.scorer.score(features.matrix(model.inputs).values)
    except Exception as error:  # noqa: BLE001  whatever is wrong with a model, the next ranker is used
        log.error("a model cannot score", alias=alias, version=model.version, error=repr(error))
        FAILED.labels(alias).inc()
        return None
    if len(scores) and np.isnan(scores).all():
        log.error("a model returned only NaN", alias=alias, version=model.version)
        FAILED.labels(alias).inc()
        return None
    return _sink_nan(scores)


def _sink_nan(scores: Scores) -> Scores:
    """Finite scores: NaN becomes a score below the lowest finite one, so that those posts are ranked last."""
    finite = np.isfinite(scores)
    if finite.all():
        return scores
    low, high = (scores[finite].min(), scores[finite].max()) if finite.any() else (0.0, 0.0)
    return np.nan_to_num(np.clip(scores, low - 1.0, high + 1.0), nan=low - 1.0)
