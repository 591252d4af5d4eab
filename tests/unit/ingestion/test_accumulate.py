"""Counters against brute force: whatever the order and the batches, the same values."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.engagement.accumulate import CounterRow, Entity, accumulate, entities_touched, to_us
from photofeed.errors import InvalidError
from photofeed.events import Action, EngagementEvent
from photofeed.features.counters import counter_view, parse_counter

START = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = {"half_life_seconds": "3600"}
NEVER = {"half_life_seconds": "inf"}

POST = counter_view(
    "post",
    ["post_id"],
    [
        ("as_of", {}),
        ("likes", {"counts": "like=1 unlike=-1"} | HOUR),
        ("dwell", {"counts": "dwell=seconds"} | HOUR),
        ("reel_views", {"counts": "impression@reel=1"} | HOUR),
    ],
)
USER = counter_view("user", ["user_id"], [("total", {"counts": "any=1"} | NEVER)])
PAIR = counter_view(
    "pair",
    ["user_id", "creator_id"],
    [("follows", {"counts": "follow=1 unfollow=-1"} | NEVER), ("back", {"counts": "reverse:follow=1"} | NEVER)],
)
VIEWS = [POST, USER, PAIR]


def _event(
    second: float, action: Action = Action.LIKE, user: int = 1, *, post: int | None = 5, reel: bool = False
) -> EngagementEvent:
    return EngagementEvent(
        id=f"{second}-{action}-{user}-{post}",
        action=action,
        user_id=user,
        creator_id=9,
        occurred_at=START + timedelta(seconds=second),
        post_id=post,
        topic_id=7,
        content_type="reel" if reel else "photo",
        dwell_ms=30_000 if action is Action.DWELL else None,
    )


EVENTS = st.lists(
    st.builds(
        _event,
        st.floats(min_value=0, max_value=1e5),
        st.sampled_from([Action.LIKE, Action.UNLIKE, Action.DWELL, Action.IMPRESSION]),
        st.integers(1, 3),
        post=st.integers(5, 7),
        reel=st.booleans(),
    ),
    max_size=30,
    unique_by=lambda event: event.id,
)


def _brute_force(events: list[EngagementEvent], post: int, at_us: int) -> list[float]:
    values = [0.0, 0.0, 0.0]
    for event in events:
        if event.post_id != post:
            continue
        left = 0.5 ** ((at_us - to_us(event.occurred_at)) / 1e6 / 3600)
        values[0] += left * {"like": 1, "unlike": -1}.get(event.action, 0)
        values[1] += left * (30.0 if event.action is Action.DWELL else 0)
        values[2] += left * (event.action is Action.IMPRESSION and event.content_type == "reel")
    return values


@given(EVENTS, st.lists(st.integers(0, 30), max_size=4), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_any_order_in_any_batches_ends_in_the_values_of_brute_force(
    events: list[EngagementEvent], cuts: list[int], shuffle: "object"
) -> None:
    arrived = list(events)
    shuffle.shuffle(arrived)  # type: ignore[attr-defined]
    edges = [0, *sorted(min(cut, len(arrived)) for cut in cuts), len(arrived)]
    stored: dict[Entity, CounterRow] = {}
    for low, high in pairwise(edges):
        accumulate(arrived[low:high], VIEWS, stored, START)
    for (view, keys), row in stored.items():
        if view == "post":
            np.testing.assert_allclose(row.values, _brute_force(events, keys[0], row.as_of_us), rtol=1e-6, atol=1e-6)
    for user in {event.user_id for event in events}:
        assert stored["user", (user,)].values == (sum(event.user_id == user for event in events),)


def test_every_event_leaves_a_row_so_that_history_can_be_joined_at_any_moment() -> None:
    rows = accumulate([_event(10), _event(20, user=2)], [POST], {}, START)
    assert [row.as_of_us - to_us(START) for row in rows] == [10_000_000, 20_000_000]


def test_a_late_event_moves_the_row_on_so_that_stores_take_it() -> None:
    stored: dict[Entity, CounterRow] = {}
    accumulate([_event(3600)], [POST], stored, START)
    (late,) = accumulate([_event(0, user=2)], [POST], stored, START)
    assert late.as_of_us == to_us(START) + 3_600_000_001
    np.testing.assert_allclose(late.values[0], 1.5, rtol=1e-6)


def test_following_counts_for_both_directions_of_the_pair() -> None:
    stored: dict[Entity, CounterRow] = {}
    accumulate([_event(1, Action.FOLLOW, post=None)], [PAIR], stored, START)
    assert stored["pair", (1, 9)].values == (1.0, 0.0)
    assert stored["pair", (9, 1)].values == (0.0, 1.0)


def test_imported_events_count_as_known_since_they_occurred() -> None:
    live, imported = _event(1), _event(2)
    object.__setattr__(imported, "imported", True)
    now = START + timedelta(days=1)
    rows = accumulate([live, imported], [POST], {}, now)
    assert [row.created_us for row in rows] == [to_us(now), to_us(START) + 2_000_000]


def test_only_entities_that_change_are_read() -> None:
    assert entities_touched([_event(1, Action.SHARE)], VIEWS) == {("user", (1,))}


@pytest.mark.parametrize(
    "tags",
    [
        {"counts": "like=1"},
        {"counts": "like=1", "half_life_seconds": "0"},
        {"counts": "like=1", "half_life_seconds": "soon"},
        {"counts": "likes=1", "half_life_seconds": "60"},
        {"counts": "like", "half_life_seconds": "60"},
    ],
)
def test_a_counter_declared_wrong_is_named(tags: dict[str, str]) -> None:
    with pytest.raises(InvalidError, match="'hot'"):
        parse_counter("hot", tags)
