"""Scorers: from features to one number a candidate, higher is better; from best to last resort."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from serving.feed.candidates import Candidates
from serving.feed.features import FeatureMatrix

Scores = NDArray[np.float64]


class CandidateScorer(Protocol):
    """Scores candidates; `ranking` names the way in the reply."""

    ranking: str

    def score(self, candidates: Candidates, features: FeatureMatrix | None) -> Scores:
        """One score a candidate, float64 (n,)."""
