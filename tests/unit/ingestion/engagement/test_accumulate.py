"""Counters compared with brute force: every order and batching gives the same values."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.engagement.accumulate import CounterDelta, CounterRows, CounterState, accumulate
from ingestion.engagement.accumulate import counter_delta as delta_of
from ingestion.engagement.credits import CreditedEvents
from photofeed.errors import InvalidError, PoisonError
from photofeed.events import Action, EngagementEvent
from photofeed.features.counters import CounterView, counter_view, parse_counter
from photofeed.features.event_columns import EventColumns

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


def counter_delta(view: CounterView, events: EventColumns) -> CounterDelta:
    """What the events add if each of them counts."""
    return delta_of(view, CreditedEvents.all_of(events))


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
        left = 0.5 ** ((at_us - _us(event.occurred_at)) / 1e6 / 3600)
        values[0] += left * {"like": 1, "unlike": -1}.get(event.action, 0)
        values[1] += left * (30.0 if event.action is Action.DWELL else 0)
        values[2] += left * (event.action is Action.IMPRESSION and event.content_type == "reel")
    return values


def _us(moment: datetime) -> int:
    return round(moment.timestamp() * 1e6)


def _columns(events: list[EngagementEvent]) -> EventColumns:
    return EventColumns.from_payloads([event.to_payload() for event in events])


class Counters:
    """The counters of all entities of a view, batch after batch."""

    def __init__(self, view: CounterView) -> None:
        self._view = view
        self.rows: dict[tuple[int, ...], tuple[int, list[float]]] = {}

    def add(self, events: list[EngagementEvent], now: datetime = START + timedelta(days=2)) -> CounterRows:
        delta = counter_delta(self._view, _columns(events))
        none = (0, [0.0] * len(self._view.counters))
        found = [self.rows.get(tuple(keys), none) for keys in delta.keys.tolist()]
        values = np.array([values for _, values in found]).reshape(len(found), len(self._view.counters))
        made = accumulate(delta, CounterState(np.array([as_of for as_of, _ in found], np.int64), values), _us(now))
        for keys, as_of, row in zip(made.keys.tolist(), made.as_of_us.tolist(), made.values.tolist(), strict=True):
            assert as_of > self.rows.get(tuple(keys), none)[0], "stores skip rows that are not newer"
            self.rows[tuple(keys)] = (as_of, row)
        return made


@given(EVENTS, st.lists(st.integers(0, 30), max_size=4), st.randoms(use_true_random=False), st.booleans())
@settings(deadline=None)
def test_any_order_and_batching_gives_the_values_of_brute_force(
    events: list[EngagementEvent], cuts: list[int], shuffle: "object", imported: bool
) -> None:
    arrived = [replace(event, imported=imported and place % 2 == 0) for place, event in enumerate(events)]
    shuffle.shuffle(arrived)  # type: ignore[attr-defined]
    edges = [0, *sorted(min(cut, len(arrived)) for cut in cuts), len(arrived)]
    posts, people = Counters(POST), Counters(USER)
    for low, high in pairwise(edges):
        posts.add(arrived[low:high])
        people.add(arrived[low:high])
    counted = {event.post_id for event in events if event.action is not Action.IMPRESSION}
    assert counted <= {post for (post,) in posts.rows}
    for (post,), (as_of, values) in posts.rows.items():
        np.testing.assert_allclose(values, _brute_force(events, post, as_of), rtol=1e-6, atol=1e-6)
    for user in {event.user_id for event in events}:
        assert people.rows[user,][1] == [sum(event.user_id == user for event in events)]


def test_live_events_of_a_batch_become_known_together_and_make_one_row() -> None:
    now = START + timedelta(seconds=30)
    made = Counters(POST).add([_event(10), _event(20, user=2)], now)
    assert (made.as_of_us - _us(START)).tolist() == [20_000_000]
    assert made.created_us.tolist() == [_us(now)]
    np.testing.assert_allclose(made.values[0, 0], 1 + 0.5 ** (10 / 3600), rtol=1e-12)


def test_counters_are_never_decayed_past_now() -> None:
    counters, now = Counters(POST), START + timedelta(seconds=100)
    counters.add([_event(100)], now)
    ahead = counters.add([_event(100 + 3600, user=2)], now)  # of a clock that is an hour fast
    assert ahead.as_of_us.tolist() == [_us(now) + 1]
    np.testing.assert_allclose(ahead.values[0, 0], 2, rtol=1e-6)
    late = counters.add([_event(3600, user=3)], START + timedelta(seconds=3600))
    np.testing.assert_allclose(late.values[0, 0], 1 + 2 * 0.5 ** (3500 / 3600), rtol=1e-6)


def test_each_imported_event_makes_a_row_known_since_it_occurred() -> None:
    live, imported = _event(3), [replace(_event(second), imported=True) for second in (2, 1)]
    now = START + timedelta(days=1)
    made = Counters(POST).add([live, *imported], now)
    assert (made.as_of_us - _us(START)).tolist() == [1_000_000, 2_000_000, 3_000_000]
    assert (made.created_us - _us(START)).tolist() == [1_000_000, 2_000_000, 86_400_000_000]


def test_a_late_event_makes_a_newer_row_that_stores_accept() -> None:
    counters = Counters(POST)
    counters.add([_event(3600)])
    late = counters.add([_event(0, user=2)])
    assert late.as_of_us[0] == _us(START) + 3_600_000_001
    np.testing.assert_allclose(late.values[0, 0], 1.5, rtol=1e-6)


def test_following_counts_for_both_directions_of_the_pair() -> None:
    counters = Counters(PAIR)
    counters.add([_event(1, Action.FOLLOW, post=None)])
    assert {keys: values for keys, (_, values) in counters.rows.items()} == {(1, 9): [1.0, 0.0], (9, 1): [0.0, 1.0]}


def test_only_entities_that_change_are_read() -> None:
    assert counter_delta(USER, _columns([_event(1, Action.SHARE)])).keys.tolist() == [[1]]
    assert counter_delta(POST, _columns([_event(1, Action.SHARE)])).keys.tolist() == []


@pytest.mark.parametrize("missing", ["user_id", "creator_id", "post_id", "topic_id"])
def test_an_event_without_one_of_the_join_keys_counts_for_no_entity(missing: str) -> None:
    keys = ["user_id", "creator_id", "post_id", "topic_id"]
    view = counter_view("all", keys, [("likes", {"counts": "like=1"} | NEVER)])
    whole = _columns([_event(1), _event(2)])
    zeros = replace(whole, **{missing: np.array([0, getattr(whole, missing)[1]])})
    assert len(counter_delta(view, whole).entity) == 2
    delta = counter_delta(view, zeros)
    assert delta.occurred_us.tolist() == [whole.occurred_us[1]]
    assert delta.keys.tolist() == [[1, 9, 5, 7]]


def test_an_untagged_post_gives_no_affinity_to_a_topic() -> None:
    view = counter_view("topic", ["user_id", "topic_id"], [("likes", {"counts": "like=1"} | NEVER)])
    assert counter_delta(view, _columns([replace(_event(1), topic_id=None)])).keys.tolist() == []


def test_a_follow_counts_in_neither_direction_without_both_people() -> None:
    nobody = replace(_event(1, Action.FOLLOW, post=None), creator_id=0)
    assert counter_delta(PAIR, _columns([nobody])).keys.tolist() == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"userId": None},
        {"userId": 2**63},
        {"action": "stare"},
        {"occurredAt": "soon"},
        {"occurredAt": 5},
        {"dwellMs": "long"},
        {"postId": "a"},
    ],
)
def test_an_event_with_a_wrong_field_is_poison(wrong: dict[str, object]) -> None:
    with pytest.raises(PoisonError):
        EventColumns.from_payloads([_event(1).to_payload(), _event(2).to_payload() | wrong])


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
def test_an_invalid_counter_is_reported_by_name(tags: dict[str, str]) -> None:
    with pytest.raises(InvalidError, match="'hot'"):
        parse_counter("hot", tags)
