"""The kinds of people, creators and posts that a ranker must serve well one by one, not only on average."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.dataset import Dataset

Rows = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Segment:
    """Rows of a dataset, told by a feature; a slate is judged by the order of its rows that belong."""

    name: str
    feature: str
    belongs: Callable[[NDArray[np.float32]], Rows]

    def rows(self, dataset: Dataset) -> Rows:
        """Whether each row belongs, (rows,); none where the dataset has no such feature."""
        if self.feature not in dataset.feature_names:
            return np.zeros(len(dataset), dtype=np.bool_)
        # nothing known is nothing counted
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
