"""Ranking without a model: popular recent posts."""

import numpy as np

from photofeed.errors import RetryableError
from photofeed.features.popularity import POPULARITY_FEATURES, popularity
from serving.feed.candidates import Candidates
from serving.feed.scorers import FeatureColumns, Scores


class PopularityScorer:
    """Scores by `photofeed.features.popularity`."""

    ranking = "popularity"

    def score(self, candidates: Candidates, features: FeatureColumns | None) -> Scores:  # noqa: ARG002
        """Score by features.

        Raises:
            RetryableError: the features could not be read.
        """
        if features is None:
            raise RetryableError("The popularity scorer needs features.")
        return popularity(*(features.column(name).astype(np.float64) for name in POPULARITY_FEATURES))
