"""The named functions that ranking features may refer to, for what no other kind of declaration expresses.

A function has a version. A change of its meaning is a new version beside the old one, because registered models refer
to the version that they were trained on. A server refuses only models that refer to a function that it lacks.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from photofeed.arrays import FloatArray
from photofeed.features.rates import engagement_rate
from photofeed.features.ratios import Ratio

DAY_SECONDS = 86400.0


@dataclass(frozen=True, slots=True)
class PureFunction:
    """A function of ratios of stored features and the time, and of nothing else.

    Attributes:
        ratios: what it takes.
        compute: from the ratios, (ratios, rows) float64, and the time, seconds since the epoch of all rows or (rows,),
            to the feature, (rows,) or one number.
    """

    ratios: tuple[Ratio, ...]
    compute: Callable[[FloatArray, FloatArray | float], FloatArray | float]


def _content_type_affinity(ratios: FloatArray, _: FloatArray | float) -> FloatArray:
    """The viewer's engagement rate with this type of content, divided by the rate with all posts; 1 is average."""
    overall, photo, reel, is_reel = ratios
    affinity: FloatArray = np.where(is_reel > 0, reel, photo) / overall
    return affinity


def _hour_of_day(_: FloatArray, now: FloatArray | float) -> FloatArray | float:
    """The hour of the request in UTC, 0 to 24."""
    return now % DAY_SECONDS / 3600


FUNCTIONS: dict[tuple[str, int], PureFunction] = {
    ("content_type_affinity", 1): PureFunction(
        (
            engagement_rate("user_activity", "engagement_7d", "impressions_7d"),
            engagement_rate("user_activity", "photo_engagement_30d", "photo_impressions_30d"),
            engagement_rate("user_activity", "reel_engagement_30d", "reel_impressions_30d"),
            Ratio("post_content", "is_reel"),
        ),
        _content_type_affinity,
    ),
    ("hour_of_day", 1): PureFunction((), _hour_of_day),
}
