"""What a version of the ranker reads: one FeatureService a model version."""

from feast import FeatureService
from people_views import creator_engagement, user_activity, user_creator, user_topic
from post_views import post_content, post_engagement

feed_ranker_v1 = FeatureService(
    name="feed_ranker_v1",
    description="Everything feed ranker version 1 is computed from",
    features=[post_content, post_engagement, creator_engagement, user_activity, user_creator, user_topic],
    owner="ranking",
)
