"""Why a post is in the feed, in words for the person who looks at it."""

from serving.feed.candidates import Source

OFTEN_LIKED_RATE, STRONG_TOPIC_RATE, HOT_LIKES = 0.25, 0.35, 5.0


def reason(source: Source, features: dict[str, float] | None, handle: str, topic: str, *, followed: bool) -> str:
    """One short sentence.

    Args:
        source: of the candidate.
        features: as the model saw them; None if there were none.
        handle: of the author.
        topic: of the post, may be empty.
        followed: whether the viewer follows the author now.
    """
    values = features or {}
    if values.get("pair_like_rate", 0.0) >= OFTEN_LIKED_RATE:
        return f"Because you often like @{handle}"
    if topic and values.get("topic_engagement_rate", 0.0) >= STRONG_TOPIC_RATE:
        return f"Because you like {topic}"
    if source.is_explore and values.get("post_likes_24h", 0.0) >= HOT_LIKES:
        return "Popular right now"
    if followed:
        return f"You follow @{handle}"
    return "Something new for you"
