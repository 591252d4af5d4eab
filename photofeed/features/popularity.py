"""The popularity of a post: what ranks without a model, and the baseline that models are compared with."""

import numpy as np

from photofeed.arrays import FloatArray
from photofeed.features.decay import decay

HALF_LIFE_HOURS = 24.0
UNKNOWN_AGE_HOURS = 1e6

# the ranking features that `popularity` takes, in order
POPULARITY_FEATURES = ("post_engagement_rate", "post_age_hours")


def popularity(engagement_rate: FloatArray, age_hours: FloatArray) -> FloatArray:
    """Smoothed engagement per view, halved for every day of age, (n,). Posts of unknown age, NaN, come last."""
    return decay(engagement_rate, np.nan_to_num(age_hours, nan=UNKNOWN_AGE_HOURS), HALF_LIFE_HOURS)
