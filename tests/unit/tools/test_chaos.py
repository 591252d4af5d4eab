"""What `make chaos` calls broken."""

import random
from typing import cast

import pytest

from tools.chaos.__main__ import Course
from tools.chaos.faults import Fault, faults, subset
from tools.chaos.ledger import Ledger
from tools.chaos.stack import APIS, SERVERS, WORKERS, Stack

NO_STACK = cast("Stack", None)


@pytest.mark.parametrize(
    ("calls", "seconds"),
    [
        ([(101.0, True), (102.0, True)], 0),
        ([(101.0, False), (104.5, True)], 4.5),
        ([(99.0, False), (101.0, True)], 0),
        ([(101.0, False)], float("inf")),
        ([], 0),
    ],
)
def test_recovery_is_the_time_until_events_are_accepted_again(calls: list[tuple[float, bool]], seconds: float) -> None:
    assert Ledger(event_calls=calls).recovery(100.0) == seconds


def test_feeds_count_except_while_postgresql_is_away() -> None:
    # (time of the answer, seconds that it took, whether it was a feed)
    ledger = Ledger(feeds=[(10.0, 1.0, True), (20.0, 1.0, False), (30.5, 2.0, False), (45.0, 1.0, True)])
    assert Course().availability(ledger) == 0.5
    assert Course(without_feeds=[(30.0, 40.0)]).availability(ledger) == pytest.approx(2 / 3)
    assert Course(without_feeds=[(0.0, 60.0)]).availability(ledger) == 0.0


def test_a_state_is_unknown_until_its_change_was_answered() -> None:
    ledger, link = Ledger(), ("likes", 1, 2)
    with ledger.changing(link) as became:
        assert ledger.links[link] is None
        became(there=True)
    assert ledger.links[link] is True
    with ledger.changing(link):
        pass  # the answer was lost
    assert ledger.links[link] is None


def _round(seed: int) -> list[Fault]:
    """All faults, in the order of a seed."""
    endless, found = faults(NO_STACK, random.Random(seed)), dict[str, Fault]()
    while (fault := next(endless)).name not in found:
        found[fault.name] = fault
    return list(found.values())


def test_every_process_and_server_is_killed_and_stopped_in_each_round() -> None:
    names = [fault.name for fault in _round(5)]
    for one in (*APIS, *WORKERS, *SERVERS):
        assert {f"kill {one}", f"stop {one}"} <= set(names)
    assert len(names) > 40
    assert [fault.name for fault in _round(5)] == names


def test_a_short_run_has_six_faults() -> None:
    assert len(list(subset(NO_STACK, random.Random(1)))) == 6


def test_only_faults_of_postgresql_excuse_feeds() -> None:
    excused = {fault.name for fault in _round(2) if fault.stops_feeds}
    assert excused == {"kill postgres", "stop postgres", "kill a connection of postgres"}
