"""Segments of users, creators and posts. A ranker must be good in each of them, not only on average."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data.dataset import Dataset

Rows = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Segment:
    """Rows of a dataset, selected by a feature. Metrics of a segment use the order of its rows within each slate."""

    name: str
    feature: str
    belongs: Callable[[NDArray[np.float32]], Rows]

    def rows(self, dataset: Dataset) -> Rows:
        """Whether each row belongs to the segment, (rows,). False for all rows if the dataset lacks the feature."""
        if self.feature not in dataset.feature_names:
            return np.zeros(len(dataset), dtype=np.bool_)
        # a missing counter is a count of 0
        return self.belongs(np.nan_to_num(dataset.matrix[:, dataset.feature_names.index(self.feature)]))


def _lowest(share: float) -> Callable[[NDArray[np.float32]], Rows]:
    return lambda values: values <= np.quantile(values, share)


def _highest(share: float) -> Callable[[NDArray[np.float32]], Rows]:
    return lambda values: values > np.quantile(values, 1 - share)


SEGMENTS: tuple[Segment, ...] = (
    Segment("new_users", "user_impressions_7d", _lowest(0.25)),
    Segment("heavy_users", "user_impressions_7d", _highest(0.25)),
    Segment("small_creators", "creator_impressions_7d", _lowest(0.5)),
    Segment("large_creators", "creator_impressions_7d", _highest(0.25)),
    Segment("photos", "is_reel", lambda is_reel: is_reel <= 0),
    Segment("reels", "is_reel", lambda is_reel: is_reel > 0),
)
