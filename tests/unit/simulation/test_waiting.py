from dataclasses import dataclass
from typing import Any

import pytest

from simulation.errors import BrokenPathError
from simulation.path import wait_until_counted


def test_polling_continues_as_long_as_there_is_progress(fake_time: Any) -> None:
    reached = fake_time.polling().until_done(lambda: int(fake_time.now / 5), 100, stalled_seconds=30, what="steps")

    assert reached == 100
    assert fake_time.now < 510


def test_polling_stops_when_progress_stalls(fake_time: Any) -> None:
    with pytest.raises(BrokenPathError, match="steps: 7 of 100, no progress for 30 s"):
        fake_time.polling().until_done(lambda: min(7, int(fake_time.now)), 100, stalled_seconds=30, what="steps")


@dataclass
class Workers:
    counted: int
    archived: int

    def counted_events(self) -> int:
        return self.counted

    def archived_events(self) -> int:
        return self.archived


@pytest.mark.parametrize("workers", [Workers(50, 100), Workers(100, 50)])
def test_events_that_are_never_counted_or_archived_are_an_error(workers: Workers, fake_time: Any) -> None:
    steps: list[int] = []

    with pytest.raises(BrokenPathError, match="events counted and archived: 50 of 100"):
        wait_until_counted(workers, 100, steps.append, fake_time.polling())
    assert sum(steps) == 50


def test_pauses_are_at_most_two_seconds(fake_time: Any) -> None:
    fake_time.polling().until_done(lambda: int(fake_time.now >= 100), 1, stalled_seconds=200, what="steps")

    assert fake_time.now <= 102
