"""The reason of a post is the strongest that holds."""

import pytest

from serving.feed.reasons import HOT_LIKES, OFTEN_LIKED_RATE, STRONG_TOPIC_RATE, reason
from serving.feed.source_table import Source

OFTEN_LIKED, STRONG_TOPIC, HOT = (OFTEN_LIKED_RATE, 0.0, 0.0), (0.0, STRONG_TOPIC_RATE, 0.0), (0.0, 0.0, HOT_LIKES)
UNKNOWN = (0.0, 0.0, 0.0)
EVERYTHING = (1.0, 1.0, 100.0)
NOTHING = (OFTEN_LIKED_RATE - 0.01, STRONG_TOPIC_RATE - 0.01, HOT_LIKES - 0.01)


@pytest.mark.parametrize(
    ("source", "features", "topic", "followed", "expected"),
    [
        (Source.FOLLOWING, EVERYTHING, "sea", True, "Because you often like @ada"),
        (Source.FOLLOWING, OFTEN_LIKED, "sea", True, "Because you often like @ada"),
        (Source.FOLLOWING, STRONG_TOPIC, "sea", True, "Because you like sea"),
        (Source.FOLLOWING, STRONG_TOPIC, "", True, "You follow @ada"),
        (Source.FRESH, HOT, "sea", False, "Popular right now"),
        (Source.FOLLOWING, HOT, "sea", True, "You follow @ada"),
        (Source.FOLLOWING, NOTHING, "sea", True, "You follow @ada"),
        (Source.FRESH, NOTHING, "sea", False, "Something new for you"),
        (Source.FOLLOWING, UNKNOWN, "sea", True, "You follow @ada"),
        (Source.FOLLOWING, UNKNOWN, "sea", False, "Something new for you"),
    ],
)
def test_the_strongest_reason_is_given(
    source: Source, features: tuple[float, float, float], topic: str, followed: bool, expected: str
) -> None:
    assert reason(source, features, "ada", topic, followed=followed) == expected
