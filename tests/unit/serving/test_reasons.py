"""The reason of a post is the strongest that holds."""

import pytest

from serving.feed.reasons import HOT_LIKES, OFTEN_LIKED_RATE, STRONG_TOPIC_RATE, ReasonCode, reason
from serving.feed.source_table import Source

OFTEN_LIKED, STRONG_TOPIC, HOT = (OFTEN_LIKED_RATE, 0.0, 0.0), (0.0, STRONG_TOPIC_RATE, 0.0), (0.0, 0.0, HOT_LIKES)
UNKNOWN = (0.0, 0.0, 0.0)
EVERYTHING = (1.0, 1.0, 100.0)
SENTENCES = {
    ReasonCode.OFTEN_LIKED: "Because you often like @ada",
    ReasonCode.LIKES_TOPIC: "Because you like sea",
    ReasonCode.POPULAR: "Popular right now",
    ReasonCode.FOLLOWED: "You follow @ada",
    ReasonCode.NEW: "Something new for you",
}
NOTHING = (OFTEN_LIKED_RATE - 0.01, STRONG_TOPIC_RATE - 0.01, HOT_LIKES - 0.01)


@pytest.mark.parametrize(
    ("source", "features", "topic", "followed", "expected"),
    [
        (Source.FOLLOWING, EVERYTHING, "sea", True, ReasonCode.OFTEN_LIKED),
        (Source.FOLLOWING, OFTEN_LIKED, "sea", True, ReasonCode.OFTEN_LIKED),
        (Source.FOLLOWING, STRONG_TOPIC, "sea", True, ReasonCode.LIKES_TOPIC),
        (Source.FOLLOWING, STRONG_TOPIC, "", True, ReasonCode.FOLLOWED),
        (Source.FRESH, HOT, "sea", False, ReasonCode.POPULAR),
        (Source.FOLLOWING, HOT, "sea", True, ReasonCode.FOLLOWED),
        (Source.FOLLOWING, NOTHING, "sea", True, ReasonCode.FOLLOWED),
        (Source.FRESH, NOTHING, "sea", False, ReasonCode.NEW),
        (Source.FOLLOWING, UNKNOWN, "sea", True, ReasonCode.FOLLOWED),
        (Source.FOLLOWING, UNKNOWN, "sea", False, ReasonCode.NEW),
    ],
)
def test_the_strongest_reason_is_given(
    source: Source, features: tuple[float, float, float], topic: str, followed: bool, expected: ReasonCode
) -> None:
    given, name = reason(source, features, "ada", topic, followed=followed)
    assert (given.code, given.sentence + name) == (expected, SENTENCES[expected])
