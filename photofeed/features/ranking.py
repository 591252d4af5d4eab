"""The ranking features that `photofeed train` uses unless it gets another program.

A model's contract carries the declarations that the model was trained on, so a server also computes the features of
models that were trained on others. A change of a feature's meaning needs a new name: contracts without declarations
name features of this list.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from photofeed.features.declarations import Age, Function, RankingFeature
from photofeed.features.manifest import FeatureManifest
from photofeed.features.program import FeatureProgram, UnknownFeatureError
from photofeed.features.rates import dwell_rate, engagement_rate, momentum, rate
from photofeed.features.ratios import Ratio
from photofeed.features.stored import FeatureSource

RANKING_FEATURES: tuple[RankingFeature, ...] = (
    # age and time
    RankingFeature("post_age_hours", "recency", Age("post_content", "posted_at", unit_seconds=3600.0), monotone=-1),
    RankingFeature("hour_of_day", "context", Function("hour_of_day", version=1)),
    # the post
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
    # the creator
    RankingFeature("creator_impressions_7d", "creator", Ratio("creator_engagement", "impressions_7d")),
    RankingFeature(
        "creator_engagement_rate", "creator", engagement_rate("creator_engagement", "engagement_7d", "impressions_7d")
    ),
    RankingFeature("creator_dwell_rate", "creator", dwell_rate("creator_engagement", "dwell_7d", "impressions_7d")),
    RankingFeature("creator_momentum", "creator", momentum("creator_engagement", "likes_1h", "likes_24h")),
    RankingFeature("creator_follows_7d", "creator", Ratio("creator_engagement", "follows_7d")),
    RankingFeature("creator_profile_visits_7d", "creator", Ratio("creator_engagement", "profile_visits_7d")),
    RankingFeature("creator_hide_rate", "creator", rate("creator_engagement", "hides_7d", "impressions_7d")),
    # the viewer
    RankingFeature("user_impressions_7d", "user", Ratio("user_activity", "impressions_7d")),
    RankingFeature("user_engagement_rate", "user", engagement_rate("user_activity", "engagement_7d", "impressions_7d")),
    RankingFeature("user_dwell_rate", "user", dwell_rate("user_activity", "dwell_7d", "impressions_7d")),
    RankingFeature("content_type_affinity", "content_type", Function("content_type_affinity", version=1)),
    RankingFeature("is_reel", "content_type", Ratio("post_content", "is_reel")),
    # viewer and creator
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
    # viewer and topic
    RankingFeature("topic_impressions_30d", "topic", Ratio("user_topic", "impressions_30d")),
    RankingFeature(
        "topic_engagement_rate",
        "topic",
        engagement_rate("user_topic", "engagement_30d", "impressions_30d"),
        monotone=1,
    ),
    RankingFeature("topic_dwell_rate", "topic", dwell_rate("user_topic", "dwell_30d", "impressions_30d")),
    RankingFeature("topic_hides_30d", "topic", Ratio("user_topic", "hides_30d")),
    # the photo and its text
    RankingFeature("aspect", "quality", Ratio("post_content", "aspect")),
    RankingFeature("sharpness", "quality", Ratio("post_content", "sharpness")),
    RankingFeature("brightness", "quality", Ratio("post_content", "brightness")),
    RankingFeature("entropy", "quality", Ratio("post_content", "entropy")),
    RankingFeature("caption_length", "quality", Ratio("post_content", "caption_length")),
    RankingFeature("tag_count", "quality", Ratio("post_content", "tag_count")),
)

PROGRAM = FeatureProgram(RANKING_FEATURES)

FEATURE_NAMES: tuple[str, ...] = PROGRAM.names

_BY_NAME = {feature.name: feature for feature in RANKING_FEATURES}


def ranking_matrix(stored: FeatureSource, rows: int) -> NDArray[np.float32]:
    """The input of a model of RANKING_FEATURES: float32, (rows, features), columns in the order of FEATURE_NAMES."""
    return PROGRAM.matrix(stored, rows)


def program_named(names: Sequence[str]) -> FeatureProgram:
    """The program of these features of RANKING_FEATURES, in this order.

    Raises:
        UnknownFeatureError: this release declares no feature of such a name.
    """
    unknown = [name for name in names if name not in _BY_NAME]
    if unknown:
        raise UnknownFeatureError(f"this release declares no features {', '.join(unknown)}")
    return FeatureProgram([_BY_NAME[name] for name in names])


def require_stored(manifest: FeatureManifest) -> None:
    """Check that a manifest has every stored feature that RANKING_FEATURES read.

    Raises:
        InvalidError: it lacks one, because another release applied it.
    """
    PROGRAM.require_stored(manifest)
