from typing import Any

import pytest

from simulation.errors import BrokenPathError
from simulation.path import wait_until_counted


def test_slow_work_is_waited_for_as_long_as_it_goes_on(fake_time: Any) -> None:
    reached = fake_time.patience().until_done(lambda: int(fake_time.now / 5), 100, stalled_seconds=30, what="steps")

    assert reached == 100
    assert fake_time.now < 510


def test_work_that_stops_is_given_up_with_how_far_it_came(fake_time: Any) -> None:
    with pytest.raises(BrokenPathError, match="steps: 7 of 100, and no more for 30 s"):
        fake_time.patience().until_done(lambda: min(7, int(fake_time.now)), 100, stalled_seconds=30, what="steps")


def test_events_that_are_never_counted_break_the_path(api: Any, fake_time: Any) -> None:
    api.counted_share = 0.5
    api.batches = [[{}] * 100]
    steps: list[int] = []

    with pytest.raises(BrokenPathError, match="events counted and archived: 50 of 100"):
        wait_until_counted(api.client(), 100, steps.append, fake_time.patience())
    assert sum(steps) == 50
