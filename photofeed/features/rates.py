"""Ratios with the priors and caps of this product: rates per impression, and momentum."""

from photofeed.action_weights import ENGAGEMENT_WEIGHTS
from photofeed.features.counters import DWELL_CAP_SECONDS
from photofeed.features.ratios import Ratio

HOURS_A_DAY = 24.0

# Rates are smoothed towards a typical value: one like on one view is not a rate of 1.
PRIOR_IMPRESSIONS = 10.0
PRIOR_ENGAGEMENT_PER_IMPRESSION = 0.15
PRIOR_DWELL_SECONDS_PER_IMPRESSION = 2.0
PRIOR_LIKES_A_DAY = 5.0

# Caps of rates: a share for every impression, a longest look for every impression, an action for every impression.
MOST_ENGAGEMENT_PER_IMPRESSION = max(ENGAGEMENT_WEIGHTS.values())
MOST_DWELL_PER_IMPRESSION = DWELL_CAP_SECONDS
MOST_ACTIONS_PER_IMPRESSION = 1.0


def engagement_rate(view: str, engagement: str, impressions: str) -> Ratio:
    """Weighted actions per impression, smoothed by the prior."""
    prior, cap = PRIOR_IMPRESSIONS * PRIOR_ENGAGEMENT_PER_IMPRESSION, MOST_ENGAGEMENT_PER_IMPRESSION
    return Ratio(view, engagement, impressions, prior=prior, weight=PRIOR_IMPRESSIONS, cap=cap)


def dwell_rate(view: str, dwell: str, impressions: str) -> Ratio:
    """Seconds of dwell time per impression, smoothed by the prior."""
    prior, cap = PRIOR_IMPRESSIONS * PRIOR_DWELL_SECONDS_PER_IMPRESSION, MOST_DWELL_PER_IMPRESSION
    return Ratio(view, dwell, impressions, prior=prior, weight=PRIOR_IMPRESSIONS, cap=cap)


def rate(view: str, count: str, impressions: str) -> Ratio:
    """Actions of one kind per impression, smoothed towards 0."""
    return Ratio(view, count, impressions, weight=PRIOR_IMPRESSIONS, cap=MOST_ACTIONS_PER_IMPRESSION)


def momentum(view: str, hour: str, day: str) -> Ratio:
    """The rate of the last hour divided by that of the last day, from counters with these half-lives.

    1 if the rate is steady, up to 24 if everything came in the last hour; smoothed towards 1.
    """
    prior, weight = PRIOR_LIKES_A_DAY, PRIOR_LIKES_A_DAY
    return Ratio(view, hour, day, factor=HOURS_A_DAY, prior=prior, weight=weight, cap=HOURS_A_DAY)
