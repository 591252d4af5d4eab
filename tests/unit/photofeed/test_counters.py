"""What an event adds to the counters that a feature's tags declare."""

from typing import Any

import numpy as np
import pytest

from photofeed.errors import InvalidError, PoisonError
from photofeed.features.counters import counter_view, parse_counter
from photofeed.features.event_columns import EventColumns

VIEW = counter_view(
    "pairs",
    ("user_id", "creator_id"),
    [
        ("likes", {"counts": "like=1 unlike=-1", "half_life_seconds": "60"}),
        ("reels", {"counts": "any@reel=2", "half_life_seconds": "inf"}),
        ("dwell", {"counts": "dwell=seconds", "half_life_seconds": "60"}),
        ("followed_by", {"counts": "reverse:follow=1", "half_life_seconds": "inf"}),
        ("as_of", {}),
    ],
)


def _events(*changes: dict[str, Any]) -> EventColumns:
    whole = {
        "userId": 1,
        "creatorId": 2,
        "postId": 3,
        "contentType": "photo",
        "occurredAt": "2026-03-01T12:00:00+00:00",
    }
    return EventColumns.from_payloads([whole | {"id": str(number)} | each for number, each in enumerate(changes)])


def test_each_event_adds_its_weight_to_the_counters_it_matches() -> None:
    events = _events(
        {"action": "like"},
        {"action": "unlike"},
        {"action": "like", "contentType": "reel"},
        {"action": "dwell", "dwellMs": 1500},
        {"action": "dwell", "dwellMs": 60_001},
        {"action": "follow", "contentType": None},
    )
    assert VIEW.counter_names == ("likes", "reels", "dwell", "followed_by")
    np.testing.assert_array_equal(
        VIEW.amounts(events, reverse=False),
        [[1, 0, 0, 0], [-1, 0, 0, 0], [1, 2, 0, 0], [0, 0, 1.5, 0], [0, 0, 60, 0], [0, 0, 0, 0]],
    )
    np.testing.assert_array_equal(VIEW.amounts(events, reverse=True)[:, 3], [0, 0, 0, 0, 0, 1])
    assert VIEW.keys_of(events, reverse=False)[0].tolist() == [1, 2]
    assert VIEW.keys_of(events, reverse=True)[0].tolist() == [2, 1]
    assert VIEW.has_reverse


@pytest.mark.parametrize(
    ("tags", "problem"),
    [
        ({"counts": "like=1"}, "half_life_seconds"),
        ({"counts": "like=1", "half_life_seconds": "0"}, "half-life above 0"),
        ({"counts": "like=1", "half_life_seconds": "nan"}, "half-life above 0"),
        ({"counts": "adore=1", "half_life_seconds": "60"}, "adore"),
        ({"counts": "like=much", "half_life_seconds": "60"}, "much"),
    ],
)
def test_wrong_tags_are_refused_with_the_name_of_the_counter(tags: dict[str, str], problem: str) -> None:
    with pytest.raises(InvalidError, match=f"counter 'likes'.*{problem}"):
        parse_counter("likes", tags)


def test_of_repeated_events_the_first_stays_in_its_order() -> None:
    events = _events(
        *({"id": name, "action": "like", "userId": user} for name, user in zip("abacb", range(5), strict=True))
    )
    assert events.distinct().user_id.tolist() == [0, 1, 3]
    assert events.part(1, 3).user_id.tolist() == [1, 2]


def test_days_begin_at_midnight_utc_and_microseconds_are_exact() -> None:
    moments = ("1970-01-01T23:59:59.999999+00:00", "1970-01-02T00:00:00+00:00", "2026-03-01T12:00:00.000001+00:00")
    events = _events(*({"action": "like", "occurredAt": moment} for moment in moments))
    assert events.day[:2].tolist() == [0, 1]
    assert events.occurred_us[0] == 86_400_000_000 - 1
    assert events.occurred_us[2] % 1_000_000 == 1


@pytest.mark.parametrize("wrong", [{"action": "adore"}, {"action": "like", "occurredAt": None}, {"userId": 1}])
def test_a_message_that_is_no_event_is_poison(wrong: dict[str, Any]) -> None:
    with pytest.raises(PoisonError, match="not an engagement event"):
        _events(wrong)
