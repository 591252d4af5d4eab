"""What a new account does changes no feed but its own, whatever the order of its events."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.engagement.accumulate import counter_delta
from ingestion.engagement.credits import WeekCredits, credit
from photofeed.events import Action, EngagementEvent
from photofeed.features.counters import CounterView, counter_view
from photofeed.features.event_columns import EventColumns
from photofeed.ids import EPOCH_MS, RANDOM_BITS
from photofeed.settings import Settings
from photofeed.times import MICROSECONDS

NEVER = {"half_life_seconds": "inf"}
COUNTS = {"counts": "like=1 share=1 dwell=seconds"} | NEVER
POST = counter_view("post", ["post_id"], [("engagement", COUNTS)])
CREATOR = counter_view("creator", ["creator_id"], [("engagement", COUNTS)])
PAIR = counter_view("pair", ["user_id", "creator_id"], [("engagement", COUNTS)])
JOINED = datetime(2026, 3, 5, 6, tzinfo=UTC)
NEW = timedelta(hours=24)
NEW_US = round(NEW.total_seconds() * MICROSECONDS)
PERSON = (round(JOINED.timestamp() * 1000) - EPOCH_MS) << RANDOM_BITS | 12_345


def _event(after: timedelta, action: Action = Action.SHARE, dwell_ms: int | None = None) -> EngagementEvent:
    moment = JOINED + after
    return EngagementEvent(f"{after}-{action}-{dwell_ms}", action, PERSON, 9, moment, 5, 7, "photo", dwell_ms=dwell_ms)


def _total(view: CounterView, batches: Sequence[Sequence[EngagementEvent]], new_us: int = NEW_US) -> float:
    """What the batches add to a counter that never decays."""
    weeks, total = WeekCredits(), 0.0
    for events in batches:
        credited, states = credit(EventColumns.from_payloads([one.to_payload() for one in events]), weeks.read)
        weeks.write(states)
        total += float(counter_delta(view, credited, new_us).amounts.sum())
    return total


@pytest.mark.parametrize("view", [POST, CREATOR])
def test_a_new_account_counts_for_others_from_the_end_of_its_first_day(view: CounterView) -> None:
    assert _total(view, [[_event(NEW - timedelta(seconds=1))]]) == 0
    assert _total(view, [[_event(NEW)]]) == 1
    assert _total(view, [[_event(-timedelta(hours=1))]]) == 0
    for after in (-timedelta(days=1), timedelta(0)):
        assert _total(view, [[_event(after)]], new_us=0) == 1  # the rule is off


def test_a_new_account_counts_for_itself_at_once() -> None:
    assert _total(PAIR, [[_event(timedelta(seconds=1))]]) == 1


def test_what_never_counted_is_not_subtracted() -> None:
    like, unlike = _event(timedelta(hours=1), Action.LIKE), _event(NEW + timedelta(hours=1), Action.UNLIKE)
    assert _total(POST, [[like], [unlike]]) == 0


@given(st.permutations([(1, 4_000), (23, 50_000), (25, 3_000), (40, 9_000), (60, 9_500)]), st.integers(1, 4))
def test_the_order_of_events_does_not_matter(looks: list[tuple[int, int]], cut: int) -> None:
    events = [_event(timedelta(hours=hour), Action.DWELL, ms) for hour, ms in looks]
    likes = [_event(timedelta(hours=hour), action) for hour, action in ((2, Action.LIKE), (30, Action.UNLIKE))]
    whole = _total(POST, [events + likes])
    np.testing.assert_allclose(_total(POST, [events[:cut], likes, events[cut:]]), whole)


def test_the_first_day_is_that_of_production() -> None:
    assert Settings(env="production").new_account_us == NEW_US
    assert Settings(env="dev").new_account_us == 0
    assert Settings(env="dev", new_account_hours=24).new_account_us == NEW_US
