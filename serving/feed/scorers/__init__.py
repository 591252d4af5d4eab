"""Scorers: one number per candidate, higher is better."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from serving.feed.candidates import Candidates

Scores = NDArray[np.float64]


class FeatureColumns(Protocol):
    """Features of candidates by name."""

    def column(self, name: str) -> NDArray[np.float32]:
        """One feature of all candidates."""


class CandidateScorer(Protocol):
    """Scores candidates; `ranking` names the scorer in the reply."""

    ranking: str

    def score(self, candidates: Candidates, features: FeatureColumns | None) -> Scores:
        """One score per candidate, float64 (n,)."""
