"""Features of people: as viewers, as creators, and of pairs of both."""

from declare import (
    DAY,
    ENGAGEMENT,
    HOUR,
    NEVER,
    PHOTO_ENGAGEMENT,
    REEL_ENGAGEMENT,
    UNWELCOME,
    as_of,
    decayed,
    pushed,
)
from entities import creator, topic, user
from feast import FeatureView

user_activity = FeatureView(
    name="user_activity",
    description="How a person uses the feed, and how they engage with photos and reels",
    entities=[user],
    ttl=None,
    source=pushed("user_activity"),
    owner="ranking",
    schema=[
        as_of(),
        decayed(
            "events_total", "any=1", half_life=NEVER, unit="events", about="All events ever counted for the person"
        ),
        decayed("impressions_7d", "impression=1", half_life=7 * DAY, unit="impressions", about="Posts seen in a week"),
        decayed("likes_7d", "like=1 unlike=-1", half_life=7 * DAY, unit="likes", about="Likes given in a week"),
        decayed(
            "engagement_7d",
            ENGAGEMENT,
            half_life=7 * DAY,
            unit="weighted actions",
            about="Weighted sum of their actions on posts",
        ),
        decayed("dwell_7d", "dwell=seconds", half_life=7 * DAY, unit="seconds", about="Time spent looking at posts"),
        decayed(
            "photo_impressions_30d",
            "impression@photo=1",
            half_life=30 * DAY,
            unit="impressions",
            about="Photos seen",
        ),
        decayed(
            "photo_engagement_30d",
            PHOTO_ENGAGEMENT,
            half_life=30 * DAY,
            unit="weighted actions",
            about="Weighted sum of their actions on photos",
        ),
        decayed(
            "reel_impressions_30d",
            "impression@reel=1",
            half_life=30 * DAY,
            unit="impressions",
            about="Reels seen",
        ),
        decayed(
            "reel_engagement_30d",
            REEL_ENGAGEMENT,
            half_life=30 * DAY,
            unit="weighted actions",
            about="Weighted sum of their actions on reels",
        ),
    ],
)

creator_engagement = FeatureView(
    name="creator_engagement",
    description="How people engage with a creator's posts",
    entities=[creator],
    ttl=None,
    source=pushed("creator_engagement"),
    owner="ranking",
    schema=[
        as_of(),
        decayed("likes_1h", "like=1 unlike=-1", half_life=HOUR, unit="likes", about="Likes of the last hour"),
        decayed("likes_24h", "like=1 unlike=-1", half_life=DAY, unit="likes", about="Likes of the last day"),
        decayed("impressions_1h", "impression=1", half_life=HOUR, unit="impressions", about="Views of the last hour"),
        decayed("impressions_24h", "impression=1", half_life=DAY, unit="impressions", about="Views of the last day"),
        decayed("impressions_7d", "impression=1", half_life=7 * DAY, unit="impressions", about="Views of their posts"),
        decayed("likes_7d", "like=1 unlike=-1", half_life=7 * DAY, unit="likes", about="Likes of their posts"),
        decayed(
            "engagement_7d",
            ENGAGEMENT,
            half_life=7 * DAY,
            unit="weighted actions",
            about="Weighted sum of actions on their posts",
        ),
        decayed(
            "dwell_7d", "dwell=seconds", half_life=7 * DAY, unit="seconds", about="Time people looked at their posts"
        ),
        decayed(
            "follows_7d", "follow=1 unfollow=-1", half_life=7 * DAY, unit="follows", about="Followers gained in a week"
        ),
        decayed(
            "profile_visits_7d", "profile_visit=1", half_life=7 * DAY, unit="visits", about="Visits to their profile"
        ),
        decayed("hides_7d", UNWELCOME, half_life=7 * DAY, unit="hides", about="Hides and reports of their posts"),
    ],
)

user_creator = FeatureView(
    name="user_creator",
    description="A viewer's past engagement with a creator, and whether they follow each other",
    entities=[user, creator],
    ttl=None,
    source=pushed("user_creator"),
    owner="ranking",
    schema=[
        as_of(),
        decayed(
            "impressions_30d",
            "impression=1",
            half_life=30 * DAY,
            unit="impressions",
            about="Views of the creator's posts",
        ),
        decayed("opens_30d", "open=1", half_life=30 * DAY, unit="opens", about="The creator's posts opened"),
        decayed("likes_30d", "like=1 unlike=-1", half_life=30 * DAY, unit="likes", about="The creator's posts liked"),
        decayed(
            "comments_30d", "comment=1", half_life=30 * DAY, unit="comments", about="Comments on the creator's posts"
        ),
        decayed("saves_30d", "save=1 unsave=-1", half_life=30 * DAY, unit="saves", about="The creator's posts saved"),
        decayed(
            "profile_visits_30d", "profile_visit=1", half_life=30 * DAY, unit="visits", about="Visits to their profile"
        ),
        decayed(
            "dwell_30d", "dwell=seconds", half_life=30 * DAY, unit="seconds", about="Time spent on the creator's posts"
        ),
        decayed(
            "hides_30d", UNWELCOME, half_life=30 * DAY, unit="hides", about="Hides and reports of the creator's posts"
        ),
        decayed(
            "follows",
            "follow=1 unfollow=-1",
            half_life=NEVER,
            unit="0 or 1",
            about="Whether the viewer follows the creator",
        ),
        decayed(
            "followed_by",
            "reverse:follow=1 reverse:unfollow=-1",
            half_life=NEVER,
            unit="0 or 1",
            about="Whether the creator follows the viewer",
        ),
    ],
)

user_topic = FeatureView(
    name="user_topic",
    description="A viewer's past engagement with a topic",
    entities=[user, topic],
    ttl=None,
    source=pushed("user_topic"),
    owner="ranking",
    schema=[
        as_of(),
        decayed(
            "impressions_30d",
            "impression=1",
            half_life=30 * DAY,
            unit="impressions",
            about="Views of posts on the topic",
        ),
        decayed(
            "engagement_30d",
            ENGAGEMENT,
            half_life=30 * DAY,
            unit="weighted actions",
            about="Weighted sum of actions on posts on the topic",
        ),
        decayed(
            "dwell_30d", "dwell=seconds", half_life=30 * DAY, unit="seconds", about="Time spent on posts on the topic"
        ),
        decayed(
            "hides_30d", UNWELCOME, half_life=30 * DAY, unit="hides", about="Hides and reports of posts on the topic"
        ),
    ],
)
