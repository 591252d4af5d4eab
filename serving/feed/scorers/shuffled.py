"""A random order: the baseline that every other ranker must beat."""

import numpy as np

from serving.feed.candidates import Candidates
from serving.feed.scorers import FeatureColumns, Scores


class ShuffledScorer:
    """A new random order for every slate."""

    ranking = "random"

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def score(self, candidates: Candidates, features: FeatureColumns | None) -> Scores:  # noqa: ARG002
        """Draw a score for each candidate."""
        return self._rng.random(len(candidates))
