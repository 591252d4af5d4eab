"""The ranking features: what the model sees of one candidate, as pure functions of stored features and the moment.

Serving calls `ranking_matrix` with rows read from the online store, training with rows of a point-in-time join; both
pass the same columns, so both get the same numbers. To add a feature, add a line to RANKING_FEATURES.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from photofeed.errors import InvalidError
from photofeed.features.counters import AS_OF_FIELD
from photofeed.features.decay import FloatArray, decay_factors
from photofeed.features.manifest import FeatureManifest

MICROSECONDS = 1e6
DAY_SECONDS, HOURS_A_DAY = 86400.0, 24.0

# Rates are smoothed towards what is typical, so that one like on one view is not a rate of 1.
PRIOR_IMPRESSIONS = 10.0
PRIOR_ENGAGEMENT_PER_IMPRESSION = 0.15
PRIOR_DWELL_SECONDS_PER_IMPRESSION = 2.0
PRIOR_LIKES_A_DAY = 5.0


class StoredFeatures:
    """Stored feature columns at a moment: counters faded to it, everything else as stored.

    Args:
        columns: `view__field` -> (rows,) of any number type; missing values already replaced by the declared defaults.
        manifest: which of the columns are counters, and how fast each fades.
        now: seconds since the epoch, one for all rows or (rows,).
    """

    def __init__(
        self, columns: Mapping[str, NDArray[np.generic]], manifest: FeatureManifest, now: FloatArray | float
    ) -> None:
        self._columns = columns
        self._half_lives = {view.name: view.half_lives for view in manifest.views}
        self.now = now
        self._ready: dict[str, FloatArray] = {}  # many features share a column

    def __call__(self, view: str, field: str) -> FloatArray:
        """One feature of all rows, float64; a counter is what is left of it now, and never negative."""
        name = f"{view}__{field}"
        if name not in self._ready:
            if field in self._half_lives.get(view, ()):
                self._fade(view)
            else:
                self._ready[name] = np.asarray(self._columns[name], dtype=np.float64)
        return self._ready[name]

    def _fade(self, view: str) -> None:
        """All counters of a view at once: they share their time, and most of them a half-life."""
        half_lives = {f"{view}__{field}": seconds for field, seconds in self._half_lives[view].items()}
        names = [name for name in half_lives if name in self._columns]
        elapsed = self.now - self._seconds(view, AS_OF_FIELD)
        factors = {seconds: decay_factors(elapsed, seconds) for seconds in {half_lives[name] for name in names}}
        left = np.empty((len(names), len(self._columns[names[0]])))
        for row, name in zip(left, names, strict=True):
            np.multiply(self._columns[name], factors[half_lives[name]], out=row)
        np.maximum(left, 0.0, out=left)
        self._ready.update(zip(names, left, strict=True))

    def age_seconds(self, view: str, field: str) -> FloatArray:
        """How long ago a stored moment was; NaN where it is not known."""
        moment = self._seconds(view, field)
        return np.where(moment > 0, np.maximum(self.now - moment, 0.0), np.nan)

    def _seconds(self, view: str, field: str) -> FloatArray:
        return np.asarray(self._columns[f"{view}__{field}"], dtype=np.float64) / MICROSECONDS

    def engagement_rate(self, view: str, engagement: str, impressions: str) -> FloatArray:
        """Weighted actions per view, smoothed by the prior."""
        return (self(view, engagement) + PRIOR_IMPRESSIONS * PRIOR_ENGAGEMENT_PER_IMPRESSION) / (
            self(view, impressions) + PRIOR_IMPRESSIONS
        )

    def dwell_rate(self, view: str, dwell: str, impressions: str) -> FloatArray:
        """Seconds of attention per view, smoothed by the prior."""
        return (self(view, dwell) + PRIOR_IMPRESSIONS * PRIOR_DWELL_SECONDS_PER_IMPRESSION) / (
            self(view, impressions) + PRIOR_IMPRESSIONS
        )

    def rate(self, view: str, count: str, impressions: str) -> FloatArray:
        """Actions of one kind per view, smoothed towards none."""
        return self(view, count) / (self(view, impressions) + PRIOR_IMPRESSIONS)

    def momentum(self, view: str, hour: str, day: str) -> FloatArray:
        """The pace of the last hour against that of the last day, from counters with these half-lives.

        1 where the pace is steady, up to 24 where everything came in the last hour; smoothed towards 1.
        """
        return (HOURS_A_DAY * self(view, hour) + PRIOR_LIKES_A_DAY) / (self(view, day) + PRIOR_LIKES_A_DAY)


@dataclass(frozen=True, slots=True)
class RankingFeature:
    """One column of the model's input. `monotone`: 1 if more must never rank lower, -1 the other way, else 0."""

    name: str
    family: str
    compute: Callable[[StoredFeatures], FloatArray]
    monotone: int = 0


def _content_type_affinity(stored: StoredFeatures) -> FloatArray:
    """How much more the viewer does with this kind of content than with posts in general; 1 is as usual."""
    overall = stored.engagement_rate("user_activity", "engagement_7d", "impressions_7d")
    photo = stored.engagement_rate("user_activity", "photo_engagement_30d", "photo_impressions_30d")
    reel = stored.engagement_rate("user_activity", "reel_engagement_30d", "reel_impressions_30d")
    return np.where(stored("post_content", "is_reel") > 0, reel, photo) / overall


def _hour_of_day(stored: StoredFeatures) -> FloatArray:
    hours = np.asarray(stored.now, dtype=np.float64) % DAY_SECONDS / 3600
    return np.broadcast_to(hours, stored("post_content", "is_reel").shape)


def _stored(view: str, field: str) -> Callable[[StoredFeatures], FloatArray]:
    return lambda stored: stored(view, field)


def _engagement_rate(view: str, engagement: str, impressions: str) -> Callable[[StoredFeatures], FloatArray]:
    return lambda stored: stored.engagement_rate(view, engagement, impressions)


def _dwell_rate(view: str, dwell: str, impressions: str) -> Callable[[StoredFeatures], FloatArray]:
    return lambda stored: stored.dwell_rate(view, dwell, impressions)


def _rate(view: str, count: str, impressions: str) -> Callable[[StoredFeatures], FloatArray]:
    return lambda stored: stored.rate(view, count, impressions)


def _momentum(view: str, hour: str, day: str) -> Callable[[StoredFeatures], FloatArray]:
    return lambda stored: stored.momentum(view, hour, day)


RANKING_FEATURES: tuple[RankingFeature, ...] = (
    # how new
    RankingFeature("post_age_hours", "recency", lambda s: s.age_seconds("post_content", "posted_at") / 3600),
    RankingFeature("hour_of_day", "context", _hour_of_day),
    # how it is going
    RankingFeature("post_likes_5m", "velocity", _stored("post_engagement", "likes_5m")),
    RankingFeature("post_likes_1h", "velocity", _stored("post_engagement", "likes_1h")),
    RankingFeature("post_likes_24h", "velocity", _stored("post_engagement", "likes_24h")),
    RankingFeature("post_comments_24h", "velocity", _stored("post_engagement", "comments_24h")),
    RankingFeature("post_saves_24h", "velocity", _stored("post_engagement", "saves_24h")),
    RankingFeature("post_shares_24h", "velocity", _stored("post_engagement", "shares_24h")),
    RankingFeature("post_opens_24h", "velocity", _stored("post_engagement", "opens_24h")),
    RankingFeature("post_impressions_1h", "velocity", _stored("post_engagement", "impressions_1h")),
    RankingFeature("post_impressions_7d", "velocity", _stored("post_engagement", "impressions_7d")),
    RankingFeature(
        "post_engagement_rate",
        "post",
        _engagement_rate("post_engagement", "engagement_7d", "impressions_7d"),
        monotone=1,
    ),
    RankingFeature("post_dwell_rate", "post", _dwell_rate("post_engagement", "dwell_7d", "impressions_7d")),
    RankingFeature("post_hide_rate", "post", _rate("post_engagement", "hides_7d", "impressions_7d")),
    RankingFeature("post_momentum", "velocity", _momentum("post_engagement", "likes_1h", "likes_24h")),
    # who made it
    RankingFeature("creator_impressions_7d", "creator", _stored("creator_engagement", "impressions_7d")),
    RankingFeature(
        "creator_engagement_rate", "creator", _engagement_rate("creator_engagement", "engagement_7d", "impressions_7d")
    ),
    RankingFeature("creator_dwell_rate", "creator", _dwell_rate("creator_engagement", "dwell_7d", "impressions_7d")),
    RankingFeature("creator_momentum", "creator", _momentum("creator_engagement", "likes_1h", "likes_24h")),
    RankingFeature("creator_follows_7d", "creator", _stored("creator_engagement", "follows_7d")),
    RankingFeature("creator_profile_visits_7d", "creator", _stored("creator_engagement", "profile_visits_7d")),
    RankingFeature("creator_hide_rate", "creator", _rate("creator_engagement", "hides_7d", "impressions_7d")),
    # who looks
    RankingFeature("user_impressions_7d", "user", _stored("user_activity", "impressions_7d")),
    RankingFeature(
        "user_engagement_rate", "user", _engagement_rate("user_activity", "engagement_7d", "impressions_7d")
    ),
    RankingFeature("user_dwell_rate", "user", _dwell_rate("user_activity", "dwell_7d", "impressions_7d")),
    RankingFeature("content_type_affinity", "content_type", _content_type_affinity),
    RankingFeature("is_reel", "content_type", _stored("post_content", "is_reel")),
    # what is between the two
    RankingFeature("pair_impressions_30d", "relationship", _stored("user_creator", "impressions_30d")),
    RankingFeature("pair_likes_30d", "relationship", _stored("user_creator", "likes_30d")),
    RankingFeature("pair_like_rate", "relationship", _rate("user_creator", "likes_30d", "impressions_30d"), monotone=1),
    RankingFeature("pair_opens_30d", "relationship", _stored("user_creator", "opens_30d")),
    RankingFeature("pair_comments_30d", "relationship", _stored("user_creator", "comments_30d")),
    RankingFeature("pair_saves_30d", "relationship", _stored("user_creator", "saves_30d")),
    RankingFeature("pair_profile_visits_30d", "relationship", _stored("user_creator", "profile_visits_30d")),
    RankingFeature("pair_dwell_rate", "relationship", _dwell_rate("user_creator", "dwell_30d", "impressions_30d")),
    RankingFeature("pair_hides_30d", "relationship", _stored("user_creator", "hides_30d")),
    RankingFeature("follows", "relationship", _stored("user_creator", "follows")),
    RankingFeature("followed_by", "relationship", _stored("user_creator", "followed_by")),
    # what it is about
    RankingFeature("topic_impressions_30d", "topic", _stored("user_topic", "impressions_30d")),
    RankingFeature(
        "topic_engagement_rate",
        "topic",
        _engagement_rate("user_topic", "engagement_30d", "impressions_30d"),
        monotone=1,
    ),
    RankingFeature("topic_dwell_rate", "topic", _dwell_rate("user_topic", "dwell_30d", "impressions_30d")),
    RankingFeature("topic_hides_30d", "topic", _stored("user_topic", "hides_30d")),
    # what it looks like
    RankingFeature("aspect", "quality", _stored("post_content", "aspect")),
    RankingFeature("sharpness", "quality", _stored("post_content", "sharpness")),
    RankingFeature("brightness", "quality", _stored("post_content", "brightness")),
    RankingFeature("entropy", "quality", _stored("post_content", "entropy")),
    RankingFeature("caption_length", "quality", _stored("post_content", "caption_length")),
    RankingFeature("tag_count", "quality", _stored("post_content", "tag_count")),
)

FEATURE_NAMES: tuple[str, ...] = tuple(feature.name for feature in RANKING_FEATURES)


def ranking_matrix(stored: StoredFeatures, rows: int) -> NDArray[np.float32]:
    """The model's input: float32, C-contiguous, (rows, features), columns in the order of FEATURE_NAMES."""
    # made by columns, each one stretch of memory, and turned once
    columns = np.empty((len(RANKING_FEATURES), rows), dtype=np.float32)
    for column, feature in zip(columns, RANKING_FEATURES, strict=True):
        column[:] = feature.compute(stored)
    return np.ascontiguousarray(columns.T)


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
