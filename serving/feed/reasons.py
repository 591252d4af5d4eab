"""The reason that the reply gives for each post of a feed: as a code, and as a short sentence."""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from serving.feed.rerankers.shown_less import BY_AUTHOR, OF_TOPIC
from serving.feed.source_table import Source

OFTEN_LIKED_RATE, STRONG_TOPIC_RATE, HOT_LIKES = 0.25, 0.35, 5.0


class ReasonCode(StrEnum):
    """Why a post is in a feed, from the strongest to the weakest. Clients translate it."""

    OFTEN_LIKED = "often_liked"
    LIKES_TOPIC = "likes_topic"
    POPULAR = "popular"
    FOLLOWED = "followed"
    NEW = "new"


class Reason(NamedTuple):
    """A code, and its sentence in English."""

    code: ReasonCode
    text: str


POPULAR = Reason(ReasonCode.POPULAR, "Popular right now")
NEW = Reason(ReasonCode.NEW, "Something new for you")


def reason(
    source: Source, features: Sequence[float], handle: str, topic: str, *, followed: bool, disliked: int = 0
) -> Reason:
    """It never says that the viewer likes an author or a topic of a post that they have hidden.

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
        return Reason(ReasonCode.OFTEN_LIKED, f"Because you often like @{handle}")
    if topic and topic_rate >= STRONG_TOPIC_RATE and not disliked & OF_TOPIC:
        return Reason(ReasonCode.LIKES_TOPIC, f"Because you like {topic}")
    if (source.is_explore or source is Source.GIVEN) and likes >= HOT_LIKES:
        return POPULAR
    if followed:
        return Reason(ReasonCode.FOLLOWED, f"You follow @{handle}")
    return NEW
