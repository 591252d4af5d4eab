"""Features of posts: content, and how people engage with it."""

from declare import DAY, ENGAGEMENT, HOUR, MINUTE, UNWELCOME, as_of, decayed, number, pushed, value
from entities import post
from feast import FeatureView

post_content = FeatureView(
    name="post_content",
    description="The content of a post; written once, when its photo is ready",
    entities=[post],
    ttl=None,
    source=pushed("post_content"),
    owner="ranking",
    schema=[
        number("author_id", unit="id", about="The author of the post"),
        number("topic_id", unit="id", about="The topic of the post"),
        number("posted_at", unit="microseconds since 1970", about="When it was posted"),
        value("is_reel", unit="0 or 1", about="Whether it is a reel", default="0"),
        value("aspect", unit="width / height", about="Aspect ratio of the picture"),
        value("sharpness", unit="variance of the Laplacian", about="Sharpness of the picture"),
        value("brightness", unit="0 to 1", about="Mean luminance"),
        value("entropy", unit="bits", about="Entropy of the luminance histogram"),
        value("caption_length", unit="characters", about="Length of the caption"),
        value("tag_count", unit="tags", about="Number of tags"),
    ],
)

post_engagement = FeatureView(
    name="post_engagement",
    description="How people engage with a post: counters over minutes, hours and days",
    entities=[post],
    ttl=None,
    source=pushed("post_engagement"),
    owner="ranking",
    schema=[
        as_of(),
        decayed("likes_5m", "like=1 unlike=-1", half_life=5 * MINUTE, unit="likes", about="Likes of the last minutes"),
        decayed("likes_1h", "like=1 unlike=-1", half_life=HOUR, unit="likes", about="Likes of the last hour"),
        decayed("likes_24h", "like=1 unlike=-1", half_life=DAY, unit="likes", about="Likes of the last day"),
        decayed(
            "comments_5m", "comment=1", half_life=5 * MINUTE, unit="comments", about="Comments of the last minutes"
        ),
        decayed("comments_1h", "comment=1", half_life=HOUR, unit="comments", about="Comments of the last hour"),
        decayed("comments_24h", "comment=1", half_life=DAY, unit="comments", about="Comments of the last day"),
        decayed("saves_5m", "save=1 unsave=-1", half_life=5 * MINUTE, unit="saves", about="Saves of the last minutes"),
        decayed("saves_1h", "save=1 unsave=-1", half_life=HOUR, unit="saves", about="Saves of the last hour"),
        decayed("saves_24h", "save=1 unsave=-1", half_life=DAY, unit="saves", about="Saves of the last day"),
        decayed("shares_24h", "share=1", half_life=DAY, unit="shares", about="Shares of the last day"),
        decayed("opens_24h", "open=1", half_life=DAY, unit="opens", about="Times opened in the last day"),
        decayed(
            "impressions_5m",
            "impression=1",
            half_life=5 * MINUTE,
            unit="impressions",
            about="Views of the last minutes",
        ),
        decayed("impressions_1h", "impression=1", half_life=HOUR, unit="impressions", about="Views of the last hour"),
        decayed("impressions_24h", "impression=1", half_life=DAY, unit="impressions", about="Views of the last day"),
        decayed(
            "impressions_7d", "impression=1", half_life=7 * DAY, unit="impressions", about="Views of the last week"
        ),
        decayed(
            "engagement_7d",
            ENGAGEMENT,
            half_life=7 * DAY,
            unit="weighted actions",
            about="Weighted sum of actions on the post",
        ),
        decayed("dwell_7d", "dwell=seconds", half_life=7 * DAY, unit="seconds", about="Time that people looked at it"),
        decayed("hides_7d", UNWELCOME, half_life=7 * DAY, unit="hides", about="Hides and reports of the post"),
    ],
)
