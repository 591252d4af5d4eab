"""The features that a ranker reads: one FeatureService for each version of its inputs."""

from feast import FeatureService
from people_views import creator_engagement, user_activity, user_creator, user_topic
from post_views import post_content, post_engagement

feed_ranker_v1 = FeatureService(
    name="feed_ranker_v1",
    description="All stored features from which version 1 of the feed ranker is computed",
    features=[post_content, post_engagement, creator_engagement, user_activity, user_creator, user_topic],
    owner="ranking",
)
