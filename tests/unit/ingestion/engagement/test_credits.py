"""A person counts once per post and action, in whatever order and batches events arrive."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ingestion.engagement.accumulate import CounterState, accumulate, counter_delta
from ingestion.engagement.credits import WEEK_US, CreditedEvents, Credits, WeekCredits, credit, credits_of
from photofeed.events import Action, EngagementEvent
from photofeed.features.counters import DWELL_CAP_SECONDS, counter_view
from photofeed.features.event_columns import EventColumns

WEEK = timedelta(days=7)
START = datetime(2026, 3, 5, tzinfo=UTC)  # a Thursday, on which weeks since 1970 begin
VIEW = counter_view(
    "post",
    ["post_id"],
    [
        ("likes", {"counts": "like=1 unlike=-1", "half_life_seconds": "3600"}),
        ("shares", {"counts": "share=1", "half_life_seconds": "3600"}),
        ("views", {"counts": "impression=1", "half_life_seconds": "inf"}),
        ("dwell", {"counts": "dwell=seconds", "half_life_seconds": "3600"}),
    ],
)


def _event(seconds: float, action: Action, user: int = 1, dwell_ms: int = 0, post: int = 5) -> EngagementEvent:
    return EngagementEvent(
        f"{seconds}-{action}-{user}-{dwell_ms}-{post}",
        action,
        user,
        9,
        START + timedelta(seconds=seconds),
        post_id=post,
        topic_id=7,
        content_type="photo",
        dwell_ms=dwell_ms if action is Action.DWELL else None,
    )


def _columns(events: Sequence[EngagementEvent]) -> EventColumns:
    return EventColumns.from_payloads([event.to_payload() for event in events])


class Counted:
    """The counters of posts after batches of events."""

    def __init__(self) -> None:
        self.weeks, self.rows = WeekCredits(), dict[int, tuple[int, list[float]]]()

    def add(self, events: Sequence[EngagementEvent], now: datetime = START + 9 * WEEK) -> CreditedEvents:
        credited, states = credit(_columns(events), self.weeks.read)
        self.weeks.write(states)
        delta = counter_delta(VIEW, credited)
        found = [self.rows.get(post, (0, [0.0] * len(VIEW.counters))) for (post,) in delta.keys.tolist()]
        values = np.array([row for _, row in found]).reshape(len(found), len(VIEW.counters))
        state = CounterState(np.array([as_of for as_of, _ in found], np.int64), values)
        accumulate(delta, state, round(now.timestamp() * 1e6))
        for (post,), as_of, row in zip(
            delta.keys.tolist(), state.as_of_us.tolist(), state.values.tolist(), strict=True
        ):
            self.rows[post] = (as_of, row)
        return credited

    def at(self, moment: datetime, post: int = 5) -> list[float]:
        as_of, row = self.rows.get(post, (0, [0.0] * len(VIEW.counters)))
        elapsed = moment.timestamp() - as_of / 1e6
        assert elapsed >= 0
        return [one * 0.5 ** (elapsed / c.half_life_seconds) for one, c in zip(row, VIEW.counters, strict=True)]


def _brute_force(events: Sequence[EngagementEvent], moment: datetime, post: int = 5) -> list[float]:
    slots: dict[Any, list[EngagementEvent]] = defaultdict(list)
    undone: dict[Any, list[datetime]] = defaultdict(list)
    for event in events:
        week = int((event.occurred_at - START) / WEEK)
        if event.action is Action.UNLIKE:
            undone[event.user_id, event.post_id].append(event.occurred_at)
        else:
            slots[week, event.user_id, event.post_id, event.action].append(event)
    values = [0.0] * len(VIEW.counters)
    actions = [Action.LIKE, Action.SHARE, Action.IMPRESSION, Action.DWELL]
    for (week, user, of, action), same in slots.items():
        until = START + (week + 2) * WEEK
        undos = [one for one in undone[user, of] if START + week * WEEK <= one < until]
        if of != post or (action is Action.LIKE and undos and max(undos) > max(one.occurred_at for one in same)):
            continue
        best = min(same, key=lambda one: (-min(one.dwell_ms or 0, 60_000), one.occurred_at))
        place = actions.index(action)
        weight = min((best.dwell_ms or 0) / 1000, DWELL_CAP_SECONDS) if action is Action.DWELL else 1.0
        age = (moment - best.occurred_at).total_seconds()
        values[place] += weight * 0.5 ** (age / VIEW.counters[place].half_life_seconds)
    return values


EVENTS = st.lists(
    st.builds(
        _event,
        st.integers(0, 40).map(lambda n: n * 36_000.0 + n),  # over three weeks
        st.sampled_from([Action.LIKE, Action.UNLIKE, Action.SHARE, Action.IMPRESSION, Action.DWELL]),
        st.integers(1, 2),
        st.sampled_from([0, 900, 5000, 90_000]),
        post=st.integers(5, 6),
    ),
    max_size=25,
    unique_by=lambda event: (event.occurred_at, event.user_id, event.post_id),
)


@given(EVENTS, st.lists(st.integers(0, 25), max_size=4), st.randoms(use_true_random=False), st.booleans())
def test_any_order_and_batching_counts_what_brute_force_counts(
    events: list[EngagementEvent], cuts: list[int], shuffle: Any, imported: bool
) -> None:
    arrived = [replace(event, imported=imported and place % 2 == 0) for place, event in enumerate(events)]
    shuffle.shuffle(arrived)
    edges = [0, *sorted(min(cut, len(arrived)) for cut in cuts), len(arrived)]
    counted, moment = Counted(), START + 3 * WEEK
    for low, high in pairwise(edges):
        counted.add(arrived[low:high])
    for post in (5, 6):
        # after three weeks little is left of hours: compare at the size of the counters
        np.testing.assert_allclose(counted.at(moment, post), _brute_force(events, moment, post), rtol=1e-6, atol=1e-12)


@given(EVENTS, EVENTS)
def test_states_do_not_depend_on_order_or_repetition(one: list[EngagementEvent], other: list[EngagementEvent]) -> None:
    def after(*batches: list[EngagementEvent]) -> dict[tuple[int, ...], tuple[int, int]]:
        weeks = WeekCredits()
        for batch in batches:
            weeks.write(credit(_columns(batch), weeks.read)[1])
        slots = credits_of(_columns([*one, *other])).slots
        states = weeks.read(slots)
        return dict(zip(map(tuple, slots.tolist()), zip(states.best, states.last, strict=True), strict=True))

    assert after(one, other) == after(other, one) == after(one, other, one) == after([*one, *other])


def test_a_thousand_shares_of_one_account_count_as_one() -> None:
    counted = Counted()
    for batch in range(4):
        counted.add([_event(batch * 1000 + n / 10, Action.SHARE) for n in range(1000)])
    left = counted.at(START + timedelta(seconds=4000))[1]
    np.testing.assert_allclose(left, 0.5 ** (4000 / 3600), rtol=1e-6)


def test_a_like_that_is_backdated_and_taken_back_leaves_nothing() -> None:
    counted = Counted()
    counted.add([_event(170_000, Action.LIKE, user=2)])
    before = counted.at(START + timedelta(seconds=180_000))
    for n in range(50):
        counted.add([_event(n, Action.LIKE), _event(172_000 + n, Action.UNLIKE)])
        counted.add([_event(100 + n, Action.LIKE)])
    np.testing.assert_allclose(counted.at(START + timedelta(seconds=180_000)), before, rtol=1e-9)


def test_a_like_can_be_taken_back_after_the_week_has_ended() -> None:
    counted = Counted()
    counted.add([_event(7 * 86_400 - 60, Action.LIKE)])
    counted.add([_event(7 * 86_400 + 60, Action.UNLIKE)])
    np.testing.assert_allclose(counted.at(START + WEEK + timedelta(hours=1)), [0, 0, 0, 0], atol=1e-12)
    counted.add([_event(7 * 86_400 + 90, Action.LIKE)])
    np.testing.assert_allclose(counted.at(START + WEEK + timedelta(seconds=90))[0], 1, rtol=1e-9)


def test_the_longest_look_counts_up_to_a_minute() -> None:
    counted = Counted()
    counted.add([_event(n, Action.DWELL, dwell_ms=ms) for n, ms in enumerate((2000, 3_600_000, 3_600_000, 400))])
    np.testing.assert_allclose(counted.at(START + timedelta(seconds=3601))[3], DWELL_CAP_SECONDS / 2, rtol=1e-9)


def test_follows_are_added_and_subtracted_as_they_happen() -> None:
    follow = replace(_event(1, Action.FOLLOW), post_id=None)
    unfollow = replace(_event(2, Action.UNFOLLOW), post_id=None)
    credited, states = credit(_columns([follow, unfollow, replace(follow, id="again")]), WeekCredits().read)
    assert credited.sign.tolist() == [1.0, 1.0, 1.0]
    assert len(states) == 0


def test_history_of_imported_events_has_what_was_known_at_each_moment() -> None:
    like, unlike = (replace(_event(n, action), imported=True) for n, action in ((1, Action.LIKE), (5, Action.UNLIKE)))
    credited, _ = credit(_columns([unlike, like]), WeekCredits().read)
    known = ((credited.events.occurred_us - START.timestamp() * 1e6) / 1e6).tolist()
    since = ((credited.since_us - START.timestamp() * 1e6) / 1e6).tolist()
    assert list(zip(known, since, credited.sign.tolist(), strict=True)) == [(1.0, 1.0, 1.0), (5.0, 1.0, -1.0)]


def test_slots_of_past_weeks_are_dropped() -> None:
    weeks = WeekCredits()
    states = credits_of(_columns([_event(1, Action.SHARE)]))
    weeks.write(states)
    weeks.forget_before(int(START.timestamp() * 1e6) // WEEK_US + 1)
    assert not weeks.read(states.slots).counts.any()
    assert Credits.none_of(states.slots).counts.tolist() == [False]
