"""The last resort: newest first, from ids alone, since ids are ordered by time."""

import numpy as np

from serving.feed.candidates import Candidates
from serving.feed.features import FeatureMatrix
from serving.feed.scorers import Scores


class RecencyScorer:
    """Newest first."""

    ranking = "recency"

    def score(self, candidates: Candidates, features: FeatureMatrix | None) -> Scores:  # noqa: ARG002
        """Score by id."""
        return candidates.post_ids.astype(np.float64)
