"""What `make chaos` calls broken."""

import argparse
import os
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from photofeed.embedded.stack import EmbeddedStack
from tools.chaos import __main__ as chaos
from tools.chaos.__main__ import Course
from tools.chaos.clocks import Clocks
from tools.chaos.disks import Disk
from tools.chaos.faults import Fault, faults, subset
from tools.chaos.judge import wrong_comments
from tools.chaos.ledger import BY_MODEL, FeedCall, Ledger
from tools.chaos.stack import APIS, PAIRS, WORKERS, Stack
from tools.kafka.cluster import BROKERS, KafkaCluster

if TYPE_CHECKING:
    from photofeed.settings import Settings
    from tools.kafka.certificates import Certificates

SERVERS = ("postgres", "valkey", "seaweedfs", "tansu", "mlflow")


def _stack(**parts: Any) -> Stack:
    """What faults are made for; none of them is injected."""
    return Stack(cast("Settings", None), cast("EmbeddedStack", None), (), **parts)


NOT_ALLOWED = 77
# In a process of its own: it gets mounts that nobody else sees.
FILL = """
import errno, os, sys, threading
from pathlib import Path
from tools.chaos.disks import Disk, NoMountsError, isolate_mounts

folder = Path(sys.argv[1]) / "disk"
folder.mkdir(mode=0o750)
(folder / "kept").write_bytes(b"1" * 100_000)
try:
    isolate_mounts()
    disk = Disk.under(folder)
except NoMountsError as error:
    print(error, file=sys.stderr)
    sys.exit(77)
assert folder.stat().st_mode & 0o777 == 0o750
full = threading.Event()

def write() -> None:
    with (folder / "grows").open("ab", buffering=0) as file:
        try:
            while True:
                file.write(b"1" * 4096)
        except OSError as error:
            assert error.errno == errno.ENOSPC
            full.set()

writer = threading.Thread(target=write)
writer.start()
disk.fill()
writer.join()
assert full.is_set()
disk.free()
(folder / "more").write_bytes(b"1" * 100_000)
assert (folder / "kept").read_bytes() == b"1" * 100_000
disk.remove()
assert not list(folder.iterdir())
"""
KAFKA = KafkaCluster(Path(), [], "", cast("Certificates", None))
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
    ledger = Ledger(
        feeds=[
            FeedCall(10.0, 1.0, "recency"),
            FeedCall(20.0, 1.0, None),
            FeedCall(30.5, 2.0, None),
            FeedCall(45.0, 1.0, BY_MODEL),
        ]
    )
    assert ledger.feeds_by_model == 1
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


@pytest.mark.parametrize("kafka", [None, KAFKA])
def test_a_short_run_has_six_faults(kafka: KafkaCluster | None) -> None:
    names = [
        fault.name for fault in subset(_stack(kafka=kafka, servers=SERVERS[: 3 if kafka else 4]), random.Random(1))
    ]
    assert len(names) == 6
    assert names[0] == ("kill broker 0" if kafka else "kill tansu")


def test_a_fault_that_does_not_end_is_told_and_the_others_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise TimeoutError("a server that was killed did not come back")

    monkeypatch.setattr(chaos, "APART_SECONDS", 0.0)
    course = Course()
    for one in (Fault("kill valkey", fail), Fault("poison", lambda: None)):
        course.inject(one)
    assert [fault.name for fault, _ in course.back] == ["kill valkey", "poison"]
    assert course.failed == ["fault\tkill valkey: TimeoutError('a server that was killed did not come back')"]


def test_the_faults_of_a_run_can_be_chosen() -> None:
    options = argparse.Namespace(minutes=1.0, only=re.compile("disk|clock"))
    names = [fault.name for fault in chaos.chosen(WHOLE, random.Random(1), options)]
    assert len(names) == len(set(names)) == len(WHOLE.disks) + len(APIS) + len(PAIRS)
    assert all("disk" in name or "clock" in name for name in names)


def test_a_lost_comment_is_found_unless_its_post_was_deleted() -> None:
    ledger = Ledger(comments={"kept": "p1", "lost": "p1", "gone": "p2"}, maybe_deleted={"p2"})
    found = wrong_comments(ledger, {"kept": 1, "twice": 2})
    assert found == ["comment\t'lost' is there 0 times", "comment\t'twice' is there 2 times"]


def test_a_server_without_a_record_has_no_processes(tmp_path: Path) -> None:
    embedded = EmbeddedStack(tmp_path / "state")
    stack = Stack(cast("Settings", None), embedded, ())
    assert stack.record("postgres") is None
    assert stack.processes("postgres") == []


def test_a_full_disk_takes_nothing_while_others_write_and_is_itself_again(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FILL, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  our own command
    if done.returncode == NOT_ALLOWED:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.rglob("*-moved"))


def test_without_clocks_and_disks_their_faults_are_left_out() -> None:
    names = [fault.name for fault in _round(1, SHORT)]
    assert not any("clock" in name or "disk" in name for name in names)
    assert {f"kill {one}" for one in WORKERS} <= set(names)


def test_every_broker_of_kafka_is_killed_and_stopped() -> None:
    names = {fault.name for fault in _round(1, _stack(kafka=KAFKA))}
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
