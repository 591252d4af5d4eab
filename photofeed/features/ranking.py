"""The ranking features: what the model sees of one candidate, as pure functions of stored features and the moment.

Serving calls `ranking_matrix` with rows read from the online store, training with rows of a point-in-time join; both
pass the same columns, so both get the same numbers. To add a feature, add a line to RANKING_FEATURES.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from photofeed.errors import InvalidError
from photofeed.features.decay import FloatArray
from photofeed.features.manifest import FeatureManifest
from photofeed.features.ratios import Columns, Ratio, Ratios, seconds

DAY_SECONDS, HOURS_A_DAY = 86400.0, 24.0

# Rates are smoothed towards what is typical, so that one like on one view is not a rate of 1.
PRIOR_IMPRESSIONS = 10.0
PRIOR_ENGAGEMENT_PER_IMPRESSION = 0.15
PRIOR_DWELL_SECONDS_PER_IMPRESSION = 2.0
PRIOR_LIKES_A_DAY = 5.0


class StoredFeatures:
    """Stored feature columns at a moment: counters faded to it, everything else as stored.

    Args:
        columns: `view__field` -> (rows,) of any number type, or one row for all; missing values already replaced by the
            declared defaults.
        manifest: which of the columns are counters, and how fast each fades.
        now: seconds since the epoch, one for all rows or (rows,).
    """

    def __init__(self, columns: Columns, manifest: FeatureManifest, now: FloatArray | float) -> None:
        self.columns, self.manifest, self.now = columns, manifest, now

    def __call__(self, view: str, field: str) -> FloatArray:
        """One feature of all rows, float64; a counter is what is left of it now, and never negative."""
        return self.ratio(Ratio(view, field))

    def ratio(self, ratio: Ratio) -> FloatArray:
        """A ratio of all rows, float64."""
        return self.ratios(Ratios([ratio]))[:, 0]

    def ratios(self, ratios: Ratios) -> FloatArray:
        """Ratios of all rows, (rows, ratios), float64."""
        (rows,) = np.broadcast_shapes(np.shape(self.now), *(self.columns[name].shape for name in ratios.columns))
        output = np.empty((rows, len(ratios)))
        ratios.compute(self.columns, self.manifest, self.now, output)
        return output

    def age_seconds(self, view: str, field: str) -> FloatArray:
        """How long ago a stored moment was; NaN where it is not known."""
        moment = seconds(self.columns[f"{view}__{field}"])
        return np.where(moment > 0, np.maximum(self.now - moment, 0.0), np.nan)


@dataclass(frozen=True, slots=True)
class RankingFeature:
    """One column of the model's input. `monotone`: 1 if more must never rank lower, -1 the other way, else 0."""

    name: str
    family: str
    of: Ratio | Callable[[StoredFeatures], FloatArray]
    monotone: int = 0

    def compute(self, stored: StoredFeatures) -> FloatArray:
        """The feature of all rows, float64."""
        return stored.ratio(self.of) if isinstance(self.of, Ratio) else self.of(stored)


def engagement_rate(view: str, engagement: str, impressions: str) -> Ratio:
    """Weighted actions per view, smoothed by the prior."""
    prior = PRIOR_IMPRESSIONS * PRIOR_ENGAGEMENT_PER_IMPRESSION
    return Ratio(view, engagement, impressions, prior=prior, weight=PRIOR_IMPRESSIONS)


def dwell_rate(view: str, dwell: str, impressions: str) -> Ratio:
    """Seconds of attention per view, smoothed by the prior."""
    prior = PRIOR_IMPRESSIONS * PRIOR_DWELL_SECONDS_PER_IMPRESSION
    return Ratio(view, dwell, impressions, prior=prior, weight=PRIOR_IMPRESSIONS)


def rate(view: str, count: str, impressions: str) -> Ratio:
    """Actions of one kind per view, smoothed towards none."""
    return Ratio(view, count, impressions, weight=PRIOR_IMPRESSIONS)


def momentum(view: str, hour: str, day: str) -> Ratio:
    """The pace of the last hour against that of the last day, from counters with these half-lives.

    1 where the pace is steady, up to 24 where everything came in the last hour; smoothed towards 1.
    """
    return Ratio(view, hour, day, factor=HOURS_A_DAY, prior=PRIOR_LIKES_A_DAY, weight=PRIOR_LIKES_A_DAY)


_USER_RATES = Ratios(
    [
        engagement_rate("user_activity", "engagement_7d", "impressions_7d"),
        engagement_rate("user_activity", "photo_engagement_30d", "photo_impressions_30d"),
        engagement_rate("user_activity", "reel_engagement_30d", "reel_impressions_30d"),
    ]
)


def _content_type_affinity(stored: StoredFeatures) -> FloatArray:
    """How much more the viewer does with this kind of content than with posts in general; 1 is as usual."""
    overall, photo, reel = stored.ratios(_USER_RATES).T
    is_reel = np.asarray(stored.columns["post_content__is_reel"], dtype=np.float64) > 0
    affinity: FloatArray = np.where(is_reel, reel, photo) / overall
    return affinity


def _hour_of_day(stored: StoredFeatures) -> FloatArray:
    return np.asarray(stored.now, dtype=np.float64) % DAY_SECONDS / 3600


RANKING_FEATURES: tuple[RankingFeature, ...] = (
    # how new
    RankingFeature("post_age_hours", "recency", lambda s: s.age_seconds("post_content", "posted_at") / 3600),
    RankingFeature("hour_of_day", "context", _hour_of_day),
    # how it is going
    RankingFeature("post_likes_5m", "velocity", Ratio("post_engagement", "likes_5m")),
    RankingFeature("post_likes_1h", "velocity", Ratio("post_engagement", "likes_1h")),
    RankingFeature("post_likes_24h", "velocity", Ratio("post_engagement", "likes_24h")),
    RankingFeature("post_comments_24h", "velocity", Ratio("post_engagement", "comments_24h")),
    RankingFeature("post_saves_24h", "velocity", Ratio("post_engagement", "saves_24h")),
    RankingFeature("post_shares_24h", "velocity", Ratio("post_engagement", "shares_24h")),
    RankingFeature("post_opens_24h", "velocity", Ratio("post_engagement", "opens_24h")),
    RankingFeature("post_impressions_1h", "velocity", Ratio("post_engagement", "impressions_1h")),
    RankingFeature("post_impressions_7d", "velocity", Ratio("post_engagement", "impressions_7d")),
    RankingFeature(
        "post_engagement_rate",
        "post",
        engagement_rate("post_engagement", "engagement_7d", "impressions_7d"),
        monotone=1,
    ),
    RankingFeature("post_dwell_rate", "post", dwell_rate("post_engagement", "dwell_7d", "impressions_7d")),
    RankingFeature("post_hide_rate", "post", rate("post_engagement", "hides_7d", "impressions_7d")),
    RankingFeature("post_momentum", "velocity", momentum("post_engagement", "likes_1h", "likes_24h")),
    # who made it
    RankingFeature("creator_impressions_7d", "creator", Ratio("creator_engagement", "impressions_7d")),
    RankingFeature(
        "creator_engagement_rate", "creator", engagement_rate("creator_engagement", "engagement_7d", "impressions_7d")
    ),
    RankingFeature("creator_dwell_rate", "creator", dwell_rate("creator_engagement", "dwell_7d", "impressions_7d")),
    RankingFeature("creator_momentum", "creator", momentum("creator_engagement", "likes_1h", "likes_24h")),
    RankingFeature("creator_follows_7d", "creator", Ratio("creator_engagement", "follows_7d")),
    RankingFeature("creator_profile_visits_7d", "creator", Ratio("creator_engagement", "profile_visits_7d")),
    RankingFeature("creator_hide_rate", "creator", rate("creator_engagement", "hides_7d", "impressions_7d")),
    # who looks
    RankingFeature("user_impressions_7d", "user", Ratio("user_activity", "impressions_7d")),
    RankingFeature("user_engagement_rate", "user", engagement_rate("user_activity", "engagement_7d", "impressions_7d")),
    RankingFeature("user_dwell_rate", "user", dwell_rate("user_activity", "dwell_7d", "impressions_7d")),
    RankingFeature("content_type_affinity", "content_type", _content_type_affinity),
    RankingFeature("is_reel", "content_type", Ratio("post_content", "is_reel")),
    # what is between the two
    RankingFeature("pair_impressions_30d", "relationship", Ratio("user_creator", "impressions_30d")),
    RankingFeature("pair_likes_30d", "relationship", Ratio("user_creator", "likes_30d")),
    RankingFeature("pair_like_rate", "relationship", rate("user_creator", "likes_30d", "impressions_30d"), monotone=1),
    RankingFeature("pair_opens_30d", "relationship", Ratio("user_creator", "opens_30d")),
    RankingFeature("pair_comments_30d", "relationship", Ratio("user_creator", "comments_30d")),
    RankingFeature("pair_saves_30d", "relationship", Ratio("user_creator", "saves_30d")),
    RankingFeature("pair_profile_visits_30d", "relationship", Ratio("user_creator", "profile_visits_30d")),
    RankingFeature("pair_dwell_rate", "relationship", dwell_rate("user_creator", "dwell_30d", "impressions_30d")),
    RankingFeature("pair_hides_30d", "relationship", Ratio("user_creator", "hides_30d")),
    RankingFeature("follows", "relationship", Ratio("user_creator", "follows")),
    RankingFeature("followed_by", "relationship", Ratio("user_creator", "followed_by")),
    # what it is about
    RankingFeature("topic_impressions_30d", "topic", Ratio("user_topic", "impressions_30d")),
    RankingFeature(
        "topic_engagement_rate",
        "topic",
        engagement_rate("user_topic", "engagement_30d", "impressions_30d"),
        monotone=1,
    ),
    RankingFeature("topic_dwell_rate", "topic", dwell_rate("user_topic", "dwell_30d", "impressions_30d")),
    RankingFeature("topic_hides_30d", "topic", Ratio("user_topic", "hides_30d")),
    # what it looks like
    RankingFeature("aspect", "quality", Ratio("post_content", "aspect")),
    RankingFeature("sharpness", "quality", Ratio("post_content", "sharpness")),
    RankingFeature("brightness", "quality", Ratio("post_content", "brightness")),
    RankingFeature("entropy", "quality", Ratio("post_content", "entropy")),
    RankingFeature("caption_length", "quality", Ratio("post_content", "caption_length")),
    RankingFeature("tag_count", "quality", Ratio("post_content", "tag_count")),
)

FEATURE_NAMES: tuple[str, ...] = tuple(feature.name for feature in RANKING_FEATURES)

_RATIOS = {place: feature.of for place, feature in enumerate(RANKING_FEATURES) if isinstance(feature.of, Ratio)}
_TOGETHER = Ratios(list(_RATIOS.values()), list(_RATIOS))
_OTHERS = [(place, feature) for place, feature in enumerate(RANKING_FEATURES) if place not in _RATIOS]


def ranking_matrix(stored: StoredFeatures, rows: int) -> NDArray[np.float32]:
    """The model's input: float32, C-contiguous, (rows, features), columns in the order of FEATURE_NAMES."""
    matrix = np.empty((rows, len(RANKING_FEATURES)), dtype=np.float32)
    _TOGETHER.compute(stored.columns, stored.manifest, stored.now, matrix)
    for place, feature in _OTHERS:
        matrix[:, place] = feature.compute(stored)
    return matrix


def require_stored(manifest: FeatureManifest) -> None:
    """Make sure that a manifest has every stored feature that this release's ranking features are made of.

    Raises:
        InvalidError: it lacks one: it is of another release.
    """
    columns = {
        f"{view.name}__{field.name}": np.zeros(1, dtype=np.float64)
        for view in manifest.views
        for field in view.schema.fixed_fields
    }
    try:
        ranking_matrix(StoredFeatures(columns, manifest, 0.0), 1)
    except KeyError as error:
        lacking = str(error.args[0]).replace("__", ":")
        raise InvalidError(
            f"the applied {manifest.service} has no {lacking}, which this release ranks by: run `photofeed setup`",
            code="stale_features",
        ) from None
