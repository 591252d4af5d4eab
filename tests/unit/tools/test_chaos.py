"""What `make chaos` calls broken."""

import os
import random
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from tools.chaos.__main__ import Course
from tools.chaos.clocks import Clocks
from tools.chaos.disks import Disk
from tools.chaos.faults import Fault, faults, subset
from tools.chaos.ledger import Ledger
from tools.chaos.stack import APIS, PAIRS, WORKERS, Stack
from tools.kafka.cluster import BROKERS, KafkaCluster

if TYPE_CHECKING:
    from photofeed.embedded.stack import EmbeddedStack
    from photofeed.settings import Settings
    from tools.kafka.certificates import Certificates

SERVERS = ("postgres", "valkey", "seaweedfs", "tansu", "mlflow")


def _stack(**parts: Any) -> Stack:
    """What faults are made for; none of them is injected."""
    return Stack(cast("Settings", None), cast("EmbeddedStack", None), (), **parts)


SHORT = _stack()
WHOLE = _stack(
    workers=PAIRS,
    servers=SERVERS,
    clocks=cast("Clocks", object()),
    disks={name: Disk(Path(name)) for name in ("postgres", "log")},
)


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


def _round(seed: int, stack: Stack = WHOLE) -> list[Fault]:
    """All faults, in the order of a seed."""
    endless, found = faults(stack, random.Random(seed)), dict[str, Fault]()
    while (fault := next(endless)).name not in found:
        found[fault.name] = fault
    return list(found.values())


def test_every_process_and_server_is_killed_and_stopped_in_each_round() -> None:
    names = [fault.name for fault in _round(5)]
    for one in (*APIS, *PAIRS, *SERVERS):
        assert {f"kill {one}", f"stop {one}"} <= set(names)
    for one in (*APIS, *PAIRS):
        assert sum(name.startswith(f"set the clock of {one} ") for name in names) == 1
    assert {"fill the disk of postgres", "fill the disk of log"} <= set(names)
    assert len(names) > 60
    assert [fault.name for fault in _round(5)] == names


def test_a_short_run_has_six_faults() -> None:
    assert len(list(subset(SHORT, random.Random(1)))) == 6


def test_without_clocks_and_disks_their_faults_are_left_out() -> None:
    names = [fault.name for fault in _round(1, SHORT)]
    assert not any("clock" in name or "disk" in name for name in names)
    assert {f"kill {one}" for one in WORKERS} <= set(names)


def test_every_broker_of_kafka_is_killed_and_stopped() -> None:
    kafka = KafkaCluster(Path(), [], "", cast("Certificates", None))
    names = {fault.name for fault in _round(1, _stack(kafka=kafka))}
    assert {f"{what} broker {number}" for what in ("kill", "stop") for number in range(BROKERS)} <= names
    assert {"restart each broker", "move all partitions of events"} <= names


def test_only_faults_of_postgresql_excuse_feeds() -> None:
    excused = {fault.name for fault in _round(2) if fault.stops_feeds}
    assert excused == {
        "kill postgres",
        "stop postgres",
        "kill a connection of postgres",
        "fill the disk of postgres",
    }


def test_a_process_with_a_clock_of_its_own_sees_it_jump(tmp_path: Path) -> None:
    clocks = Clocks.compiled(tmp_path / "clocks")
    show = "import time; input(); print(time.time()); input(); print(time.time())"
    environment = {**os.environ, **clocks.variables("one")}
    with subprocess.Popen(  # noqa: S603  our own command
        [sys.executable, "-c", show], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        moments = []
        for seconds in (-36_000, 36_000):
            clocks.set("one", seconds)
            process.stdin.write("\n")
            process.stdin.flush()
            moments.append(float(process.stdout.readline()))
    assert moments[1] - moments[0] > 36_000
