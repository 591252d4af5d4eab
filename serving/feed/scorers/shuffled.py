"""No order at all: the ranker that every other must beat."""

import numpy as np

from serving.feed.candidates import Candidates
from serving.feed.features import FeatureMatrix
from serving.feed.scorers import Scores


class ShuffledScorer:
    """A new random order for every slate."""

    ranking = "random"

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def score(self, candidates: Candidates, features: FeatureMatrix | None) -> Scores:  # noqa: ARG002
        """Score by chance."""
        return self._rng.random(len(candidates))
