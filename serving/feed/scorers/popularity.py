"""Ranking without a model: what people take to, while it is new."""

import numpy as np

from photofeed.errors import RetryableError
from serving.feed.candidates import Candidates
from serving.feed.features import FeatureMatrix
from serving.feed.scorers import Scores

HALF_LIFE_HOURS = 24.0


class PopularityScorer:
    """Engagement per view, halved with every day of age."""

    ranking = "popularity"

    def score(self, candidates: Candidates, features: FeatureMatrix | None) -> Scores:  # noqa: ARG002
        """Score by features alone.

        Raises:
            RetryableError: there are no features to score by.
        """
        if features is None:
            raise RetryableError("popularity needs features")
        age = np.nan_to_num(features.column("post_age_hours").astype(np.float64), nan=1e6)
        rate = features.column("post_engagement_rate").astype(np.float64)
        return rate * np.exp2(-age / HALF_LIFE_HOURS)
