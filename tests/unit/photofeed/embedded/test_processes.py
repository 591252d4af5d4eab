import os
import select
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from signal import SIGKILL, SIGTERM
from threading import Event
from typing import Any, cast

import psutil
import pytest

from photofeed.embedded import supervisor as supervisor_module
from photofeed.embedded.child import Child, Launch
from photofeed.embedded.errors import MissingProgramError, NotReadyError, ServerStartError
from photofeed.embedded.processes import Command, ProcessGroup
from photofeed.embedded.record import ProcessRecord, kill_leftovers, load_records, stop, stop_recorded, wait_ended
from photofeed.embedded.state import StateFolder
from photofeed.embedded.supervisor import Supervisor
from tests.doubles.module_time import patch_time

# Each process says over a named pipe that it runs, and how it ends; so no test waits for a guessed time.
WORKER = """
import os, signal, sys
name, pipe = sys.argv[1], open(sys.argv[2], "w", buffering=1)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
print(name, os.getpid(), os.environ["PHOTOFEED_STATE_DIR"], file=pipe)
signal.sigwait({signal.SIGTERM})
print(name, "stopped", file=pipe)
"""
STUBBORN = """
import os, signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
print(child.pid, file=open(sys.argv[1], "w"))
signal.pause()
"""


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    return StateFolder(tmp_path / "state")


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[int]:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDWR)  # open for writing too, so that reading never meets an end
    yield reader
    os.close(reader)


def lines(reader: int, count: int) -> list[str]:
    read = b""
    while read.count(b"\n") < count:
        assert select.select([reader], [], [], 60)[0], f"nothing more was said after {read!r}"
        read += os.read(reader, 1)
    return read.decode().splitlines()


def worker(name: str, tmp_path: Path) -> Command:
    return Command(name, [sys.executable, "-c", WORKER, name, str(tmp_path / "pipe")])


def test_processes_find_the_stack_and_are_asked_to_stop(tmp_path: Path, state: StateFolder, pipe: int) -> None:
    group = ProcessGroup(state, [worker("api", tmp_path), worker("photos", tmp_path)])
    group.start()
    started = lines(pipe, 2)
    assert {line.split()[2] for line in started} == {str(state.path)}
    group.stop()
    assert sorted(lines(pipe, 2)) == ["api stopped", "photos stopped"]
    assert load_records(state.run) == []


def test_processes_do_not_inherit_the_metrics_folder_of_feast(
    tmp_path: Path, state: StateFolder, pipe: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "of Feast")
    told = "print(os.environ.get('PROMETHEUS_MULTIPROC_DIR'), file=open(sys.argv[1], 'w'))"
    code = f"import os, signal, sys; {told}; signal.pause()"
    group = ProcessGroup(state, [Command("api", [sys.executable, "-c", code, str(tmp_path / "pipe")])])
    group.start()
    assert lines(pipe, 1) == ["None"]
    group.stop()


def test_a_process_that_crashes_is_started_again(tmp_path: Path, state: StateFolder, pipe: int) -> None:
    group = ProcessGroup(state, [worker("photos", tmp_path)])
    group.start()
    _, first, _ = lines(pipe, 1)[0].split()
    os.kill(int(first), SIGKILL)
    _, pid, _ = lines(pipe, 1)[0].split()
    assert pid != first
    assert [record.pid for record in load_records(state.run)] == [int(pid)], "and is on record, so that it is stopped"
    group.stop()
    assert lines(pipe, 1) == ["photos stopped"]


def test_children_of_a_killed_process_are_killed_before_it_starts_again(
    tmp_path: Path, state: StateFolder, pipe: int
) -> None:
    """An API server's child would keep the port, and answer with old code and old settings."""
    group = ProcessGroup(state, [Command("api", [sys.executable, "-c", STUBBORN, str(tmp_path / "pipe")])])
    group.start()
    orphan = psutil.Process(int(lines(pipe, 1)[0]))
    (record,) = load_records(state.run)
    os.kill(record.pid, SIGKILL)
    lines(pipe, 1)  # the second process runs
    assert wait_ended([orphan], 0) == []
    (record,) = load_records(state.run)
    stop([replace(record, stop_seconds=0.1)])
    group.stop()


def test_a_start_that_fails_is_repeated(tmp_path: Path, state: StateFolder, pipe: int) -> None:
    argv = worker("broker", tmp_path).argv
    launch = Launch(argv, {"PHOTOFEED_STATE_DIR": str(state.path)})
    child, failures = Child("broker", launch, state, stage=0), [NotReadyError("its storage is away")]

    def start(_: Event) -> Child:
        if failures:
            raise failures.pop()
        return Child("broker", launch, state, stage=0)

    lines(pipe, 1)
    supervisor = Supervisor(child, start)
    os.kill(child.record.pid, SIGKILL)
    lines(pipe, 1)
    stop([supervisor.retire()])
    supervisor.join()
    assert failures == []
    assert lines(pipe, 1) == ["broker stopped"]
    assert load_records(state.run) == []


class Ended:
    """A process that ends at once, and has run for some seconds by a clock."""

    name, log = "broker", "broker.log"

    def __init__(self, clock: list[float], seconds: float = 0.0) -> None:
        self._clock, self._seconds = clock, seconds

    def wait(self) -> int:
        self._clock[0] += self._seconds
        return 1

    def reap(self) -> None:
        """There is nothing left of it."""


def test_the_delay_doubles_up_to_half_a_minute_until_a_process_ran_for_a_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, delays, ended = [0.0], list[float](), Event()
    patch_time(monkeypatch, supervisor_module, monotonic=lambda: clock[0])

    def after(supervisor: Any, delay: float) -> bool:
        """Instead of waiting: attempts 1 to 4 start the process, it does not start for a while, then it runs on."""
        delays.append(delay)
        if len(delays) == 14:
            supervisor._stopping.set()
            ended.set()
        supervisor._child = Ended(clock, 61.0 if len(delays) == 11 else 60.0)
        return len(delays) < 5 or len(delays) > 9

    monkeypatch.setattr(Supervisor, "_start_after", after)
    supervisor = Supervisor(cast("Child", Ended(clock)), lambda _: pytest.fail("not started by the test"))
    assert ended.wait(60)
    supervisor.join()
    assert delays == [0.25, 0.5, 1, 2, 4, 8, 16, 30, 30, 30, 30, 0.25, 0.5, 1]


def test_a_process_that_is_stuck_is_started_again(
    tmp_path: Path, state: StateFolder, pipe: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor_module, "CHECK_SECONDS", 0.01)
    launch = Launch(worker("storage", tmp_path).argv, {"PHOTOFEED_STATE_DIR": str(state.path)})
    reasons = list[str]()
    supervisor = Supervisor(
        Child("storage", launch, state, stage=0),
        lambda _: Child("storage", launch, state, stage=0),
        lambda: reasons.pop() if reasons else None,
    )
    (first,) = lines(pipe, 1)
    reasons.append("it takes no files")
    stopped, second = lines(pipe, 2)
    assert stopped == "storage stopped"
    assert first.split()[1] != second.split()[1]
    stop([supervisor.retire()])
    supervisor.join()
    assert load_records(state.run) == []


def test_a_process_that_ends_before_it_is_ready_fails_the_start_with_its_last_words(
    state: StateFolder,
) -> None:
    broken = Command(
        "api", [sys.executable, "-c", "raise SystemExit('no such table')"], ready_url="http://127.0.0.1:1/"
    )
    waiting = Command("photos", [sys.executable, "-c", "import signal; signal.pause()"])
    group = ProcessGroup(state, [waiting, broken])
    with pytest.raises(ServerStartError, match=r"api ended with exit code 1 .*: no such table"):
        group.start()
    assert load_records(state.run) == []


def test_what_ignores_sigterm_is_killed_with_its_children(tmp_path: Path, state: StateFolder, pipe: int) -> None:
    argv = [sys.executable, "-c", STUBBORN, str(tmp_path / "pipe")]
    child = Child("stubborn", Launch(argv, stop_seconds=0.1), state, stage=0)
    grandchild = psutil.Process(int(lines(pipe, 1)[0]))
    child.stop()
    assert child.exit_code == -SIGKILL
    assert wait_ended([grandchild], 0) == []


def test_what_a_killed_process_left_behind_is_stopped_by_its_record(
    tmp_path: Path, state: StateFolder, pipe: int
) -> None:
    argv = [sys.executable, "-c", STUBBORN, str(tmp_path / "pipe")]
    child = Child("killed", Launch(argv, stop_seconds=0.1), state, stage=0)
    orphan = psutil.Process(int(lines(pipe, 1)[0]))
    os.kill(child.record.pid, SIGKILL)
    child.wait()
    stop_recorded(state.run)
    assert wait_ended([orphan], 0) == []


@pytest.mark.parametrize("is_killed", [False, True])
def test_files_that_a_process_leaves_behind_are_removed(
    tmp_path: Path, state: StateFolder, pipe: int, *, is_killed: bool
) -> None:
    left, others = tmp_path / "left.sock", tmp_path / "others.sock"
    launch = Launch(
        worker("storage", tmp_path).argv, {"PHOTOFEED_STATE_DIR": str(state.path)}, leaves=[str(left), "/no/such/file"]
    )
    child = Child("storage", launch, state, stage=0)
    lines(pipe, 1)
    left.touch()
    others.touch()
    if is_killed:
        os.kill(child.record.pid, SIGKILL)
        child.wait()
        kill_leftovers(child.record)
    else:
        stop_recorded(state.run)
        child.reap()
    assert (left.exists(), others.exists()) == (False, True)


def test_processes_stop_before_the_servers_they_write_to(tmp_path: Path, state: StateFolder, pipe: int) -> None:
    environment = {"PHOTOFEED_STATE_DIR": str(state.path)}
    children = [
        Child(name, Launch(worker(name, tmp_path).argv, environment), state, stage)
        for name, stage in (("api", 10), ("storage", 0), ("broker", 1))
    ]
    lines(pipe, 3)
    stop_recorded(state.run)
    assert lines(pipe, 3) == ["api stopped", "broker stopped", "storage stopped"]
    for child in children:
        child.reap()


def test_a_record_whose_pid_another_process_has_now_stops_nobody(state: StateFolder) -> None:
    child = Child("mine", Launch([sys.executable, "-c", "import signal; signal.pause()"]), state, stage=0)
    older = ProcessRecord("mine", child.record.pid, child.record.started - 3600, stage=0)
    assert older.process() is None
    assert older.family() == []
    assert child.record.process() is not None
    child.stop()
    assert child.exit_code == -SIGTERM


def test_a_server_that_never_answers_fails_in_one_line_with_the_reason(state: StateFolder) -> None:
    def probe() -> None:
        raise NotReadyError("connection refused")

    argv = [sys.executable, "-c", "import signal; print('listening nowhere', flush=True); signal.pause()"]
    child = Child("mute", Launch(argv), state, stage=0)
    with pytest.raises(ServerStartError, match=r"^mute was not healthy after 0 s \(connection refused\) .*$"):
        child.wait_ready(probe, 0, Event())
    child.stop()


def test_a_missing_program_is_named(state: StateFolder) -> None:
    with pytest.raises(MissingProgramError, match=r"broker cannot be started: /no/such/program: No such file"):
        Child("broker", Launch(["/no/such/program"]), state, stage=0)
    assert load_records(state.run) == []
