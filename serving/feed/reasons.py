"""The reason that the reply gives for each post of a feed: as a code, and as a short sentence."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

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


@dataclass(frozen=True, slots=True)
class Reason:
    """The value of a ReasonCode, and the beginning of its sentence in English. Neither needs escapes in JSON."""

    code: str
    sentence: str


OFTEN_LIKED = Reason(ReasonCode.OFTEN_LIKED.value, "Because you often like @")
LIKES_TOPIC = Reason(ReasonCode.LIKES_TOPIC.value, "Because you like ")
POPULAR = Reason(ReasonCode.POPULAR.value, "Popular right now")
FOLLOWED = Reason(ReasonCode.FOLLOWED.value, "You follow @")
NEW = Reason(ReasonCode.NEW.value, "Something new for you")
_GIVEN = Source.GIVEN  # an attribute of an Enum takes a look-up in Python


def reason(
    source: Source, features: Sequence[float], handle: str, topic: str, *, followed: bool, disliked: int = 0
) -> tuple[Reason, str]:
    """The reason, and the name of the author or topic that ends its sentence; empty if it has none.

    It never says that the viewer likes an author or a topic of a post that they have hidden.

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
        return OFTEN_LIKED, handle
    if topic and topic_rate >= STRONG_TOPIC_RATE and not disliked & OF_TOPIC:
        return LIKES_TOPIC, topic
    if likes >= HOT_LIKES and (source.is_explore or source is _GIVEN):
        return POPULAR, ""
    if followed:
        return FOLLOWED, handle
    return NEW, ""
