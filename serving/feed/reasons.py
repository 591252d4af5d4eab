"""The reason that the reply gives for each post of a feed."""

from collections.abc import Sequence

from serving.feed.rerankers.shown_less import BY_AUTHOR, OF_TOPIC
from serving.feed.source_table import Source

OFTEN_LIKED_RATE, STRONG_TOPIC_RATE, HOT_LIKES = 0.25, 0.35, 5.0


def reason(
    source: Source, features: Sequence[float], handle: str, topic: str, *, followed: bool, disliked: int = 0
) -> str:
    """One short sentence. It never says that the viewer likes an author or a topic of a post that they have hidden.

    Args:
        source: of the candidate.
        features: the values of REASON_FEATURES; 0 without features.
        handle: of the author; empty if an item has none.
        topic: of the post; may be empty.
        followed: whether the viewer follows the author now.
        disliked: flags of `rerankers.shown_less`.
    """
    pair_like_rate, topic_rate, likes = features
    if handle and pair_like_rate >= OFTEN_LIKED_RATE and not disliked & BY_AUTHOR:
        return f"Because you often like @{handle}"
    if topic and topic_rate >= STRONG_TOPIC_RATE and not disliked & OF_TOPIC:
        return f"Because you like {topic}"
    if (source.is_explore or source is Source.GIVEN) and likes >= HOT_LIKES:
        return "Popular right now"
    if followed:
        return f"You follow @{handle}"
    return "Something new for you"
