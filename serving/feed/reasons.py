"""Why a post is in the feed, in words for the person who looks at it."""

from collections.abc import Sequence

from photofeed.features.ranking import FEATURE_NAMES
from serving.feed.candidates import Source

TELLING = ("pair_like_rate", "topic_engagement_rate", "post_likes_24h")
TELLING_COLUMNS = [FEATURE_NAMES.index(name) for name in TELLING]

OFTEN_LIKED_RATE, STRONG_TOPIC_RATE, HOT_LIKES = 0.25, 0.35, 5.0


def reason(source: Source, telling: Sequence[float] | None, handle: str, topic: str, *, followed: bool) -> str:
    """One short sentence.

    Args:
        source: of the candidate.
        telling: the features of TELLING as the model saw them; None if there were none.
        handle: of the author.
        topic: of the post, may be empty.
        followed: whether the viewer follows the author now.
    """
    pair_like_rate, topic_rate, likes = telling or (0.0, 0.0, 0.0)
    if pair_like_rate >= OFTEN_LIKED_RATE:
        return f"Because you often like @{handle}"
    if topic and topic_rate >= STRONG_TOPIC_RATE:
        return f"Because you like {topic}"
    if source.is_explore and likes >= HOT_LIKES:
        return "Popular right now"
    if followed:
        return f"You follow @{handle}"
    return "Something new for you"
