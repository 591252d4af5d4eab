"""The last scorer of the fallback chain: newest first. It needs only ids, which sort by time."""

import numpy as np

from serving.feed.candidates import Candidates
from serving.feed.scorers import FeatureColumns, Scores


class RecencyScorer:
    """Newest first."""

    ranking = "recency"

    def score(self, candidates: Candidates, features: FeatureColumns | None) -> Scores:  # noqa: ARG002
        """Score by id."""
        return candidates.post_ids.astype(np.float64)
