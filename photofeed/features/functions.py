"""The named functions that ranking features may refer to, for what no other kind of declaration expresses.

A function has a version. A change of its meaning is a new version beside the old one, because registered models refer
to the version that they were trained on. A server refuses only models that refer to a function that it lacks.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from photofeed.arrays import FloatArray
from photofeed.features.rates import engagement_rate
from photofeed.features.ratios import Ratios
from photofeed.features.stored import StoredFeatures

DAY_SECONDS = 86400.0

_USER_RATES = Ratios(
    [
        engagement_rate("user_activity", "engagement_7d", "impressions_7d"),
        engagement_rate("user_activity", "photo_engagement_30d", "photo_impressions_30d"),
        engagement_rate("user_activity", "reel_engagement_30d", "reel_impressions_30d"),
    ]
)
_IS_REEL = "post_content__is_reel"


def _content_type_affinity(stored: StoredFeatures) -> FloatArray:
    """The viewer's engagement rate with this type of content, divided by the rate with all posts; 1 is average."""
    overall, photo, reel = stored.ratios(_USER_RATES).T
    is_reel = np.asarray(stored.columns[_IS_REEL], dtype=np.float64) > 0
    affinity: FloatArray = np.where(is_reel, reel, photo) / overall
    return affinity


def _hour_of_day(stored: StoredFeatures) -> FloatArray:
    """The hour of the request in UTC, 0 to 24."""
    return np.asarray(stored.now, dtype=np.float64) % DAY_SECONDS / 3600


@dataclass(frozen=True, slots=True)
class NamedFunction:
    """A pure function of stored features and the time. `reads`: the columns `view__field` that it takes."""

    reads: tuple[str, ...]
    compute: Callable[[StoredFeatures], FloatArray]


FUNCTIONS: dict[tuple[str, int], NamedFunction] = {
    ("content_type_affinity", 1): NamedFunction((*_USER_RATES.columns, _IS_REEL), _content_type_affinity),
    ("hour_of_day", 1): NamedFunction((), _hour_of_day),
}
