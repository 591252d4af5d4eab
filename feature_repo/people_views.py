"""What is known of people: as viewers, as creators, and of what is between them."""

from declare import DAY, HOUR, NEVER, as_of, decayed, pushed
from entities import creator, topic, user
from feast import FeatureView
from post_views import ENGAGED

user_activity = FeatureView(
    name="user_activity",
    description="How a person uses the feed, and which kinds of content they take to",
    entities=[user],
    ttl=None,
    source=pushed("user_activity"),
    owner="ranking",
    schema=[
        as_of(),
        decayed(
            "events_total", "any=1", half_life=NEVER, unit="events", about="Every event ever counted for the person"
        ),
        decayed("impressions_7d", "impression=1", half_life=7 * DAY, unit="impressions", about="Posts seen in a week"),
        decayed("likes_7d", "like=1 unlike=-1", half_life=7 * DAY, unit="likes", about="Likes given in a week"),
        decayed("engagement_7d", ENGAGED, half_life=7 * DAY, unit="weighted actions", about="All they did, weighted"),
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
            "open@photo=0.5 like@photo=1 unlike@photo=-1 comment@photo=2 save@photo=2 share@photo=3",
            half_life=30 * DAY,
            unit="weighted actions",
            about="What they did with photos",
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
            "open@reel=0.5 like@reel=1 unlike@reel=-1 comment@reel=2 save@reel=2 share@reel=3",
            half_life=30 * DAY,
            unit="weighted actions",
            about="What they did with reels",
        ),
    ],
)

creator_engagement = FeatureView(
    name="creator_engagement",
    description="How people take to a creator's posts",
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
            "engagement_7d", ENGAGED, half_life=7 * DAY, unit="weighted actions", about="All that people did, weighted"
        ),
        decayed(
            "dwell_7d", "dwell=seconds", half_life=7 * DAY, unit="seconds", about="Time people looked at their posts"
        ),
        decayed(
            "follows_7d", "follow=1 unfollow=-1", half_life=7 * DAY, unit="follows", about="Followers won in a week"
        ),
        decayed(
            "profile_visits_7d", "profile_visit=1", half_life=7 * DAY, unit="visits", about="Visits to their profile"
        ),
        decayed("hides_7d", "hide=1 report=3", half_life=7 * DAY, unit="hides", about="How often a post was unwelcome"),
    ],
)

user_creator = FeatureView(
    name="user_creator",
    description="What is between a viewer and a creator: past engagement and strength of the relationship",
    entities=[user, creator],
    ttl=None,
    source=pushed("user_creator"),
    owner="ranking",
    schema=[
        as_of(),
        decayed(
            "impressions_30d", "impression=1", half_life=30 * DAY, unit="impressions", about="Posts of theirs seen"
        ),
        decayed("opens_30d", "open=1", half_life=30 * DAY, unit="opens", about="Posts of theirs opened"),
        decayed("likes_30d", "like=1 unlike=-1", half_life=30 * DAY, unit="likes", about="Posts of theirs liked"),
        decayed("comments_30d", "comment=1", half_life=30 * DAY, unit="comments", about="Comments on their posts"),
        decayed("saves_30d", "save=1 unsave=-1", half_life=30 * DAY, unit="saves", about="Posts of theirs saved"),
        decayed(
            "profile_visits_30d", "profile_visit=1", half_life=30 * DAY, unit="visits", about="Visits to their profile"
        ),
        decayed("dwell_30d", "dwell=seconds", half_life=30 * DAY, unit="seconds", about="Time spent on their posts"),
        decayed(
            "hides_30d", "hide=1 report=3", half_life=30 * DAY, unit="hides", about="How often theirs was unwelcome"
        ),
        decayed("follows", "follow=1 unfollow=-1", half_life=NEVER, unit="0 or 1", about="Whether they follow them"),
        decayed(
            "followed_by",
            "reverse:follow=1 reverse:unfollow=-1",
            half_life=NEVER,
            unit="0 or 1",
            about="Whether the creator follows back",
        ),
    ],
)

user_topic = FeatureView(
    name="user_topic",
    description="What a viewer makes of a topic",
    entities=[user, topic],
    ttl=None,
    source=pushed("user_topic"),
    owner="ranking",
    schema=[
        as_of(),
        decayed("impressions_30d", "impression=1", half_life=30 * DAY, unit="impressions", about="Posts on it seen"),
        decayed(
            "engagement_30d", ENGAGED, half_life=30 * DAY, unit="weighted actions", about="What they did with them"
        ),
        decayed("dwell_30d", "dwell=seconds", half_life=30 * DAY, unit="seconds", about="Time spent on them"),
        decayed("hides_30d", "hide=1 report=3", half_life=30 * DAY, unit="hides", about="How often it was unwelcome"),
    ],
)
