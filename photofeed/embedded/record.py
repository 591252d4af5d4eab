"""Records of running processes, by which another process can stop them even if their parent has died."""

import json
import os
import signal
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path

import psutil
import structlog

_POLL_SECONDS = 0.02
_KILLED_SECONDS = 10.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ProcessRecord:
    """One started process; `started` detects a reused pid. Higher stages stop before lower ones."""

    name: str
    pid: int
    started: float
    stage: int
    stop_signal: int = signal.SIGTERM
    stop_seconds: float = 10.0
    leaves: Sequence[str] = ()  # files outside the state folder that the process does not remove itself

    def write(self, folder: Path) -> None:
        """Write the record into a folder atomically."""
        whole = folder / f".{self.name}.new"
        whole.write_text(json.dumps(asdict(self)))
        whole.replace(folder / f"{self.name}.json")

    def process(self) -> psutil.Process | None:
        """Return the process if it runs. A zombie has ended; its parent has not reaped it yet."""
        process = _find(self.pid)
        return process if process and self._is(process) and _lives(process) else None

    def family(self) -> list[psutil.Process]:
        """Return the process, its descendants, and the other processes of its session, also if it has died."""
        process = _find(self.pid)
        if process and not self._is(process):
            return []  # a reused pid: the kernel reuses a number only when the session of that number has ended
        members = {other.pid: other for other in _session(self.pid)}
        if process:
            members |= {other.pid: other for other in (process, *_descendants(process))}
        return list(members.values())

    def _is(self, process: psutil.Process) -> bool:
        return abs(process.create_time() - self.started) < 1


def load_records(folder: Path) -> list[ProcessRecord]:
    """Read all records of a folder, highest stage first."""
    records = [ProcessRecord(**json.loads(file.read_text())) for file in folder.glob("*.json")]
    return sorted(records, key=lambda record: record.stage, reverse=True)


def load_record(folder: Path, name: str) -> ProcessRecord | None:
    """Read the record of one process; None if it has none."""
    try:
        return ProcessRecord(**json.loads((folder / f"{name}.json").read_text()))
    except FileNotFoundError:
        return None


def stop_recorded(folder: Path) -> None:
    """Stop every recorded process, from the highest stage to the lowest, and remove the records."""
    for _, stage in groupby(load_records(folder), key=lambda record: record.stage):
        stop(list(stage))
    for file in folder.glob("*.json"):
        file.unlink()


def stop(records: Iterable[ProcessRecord]) -> None:
    """Send stop signals to these processes together; kill those that run past their time, with all descendants."""
    families = [(record, record.family()) for record in records]
    for record, _ in families:
        if process := record.process():
            _send(process, record.stop_signal)
    signalled = time.monotonic()
    for record, family in families:
        late = wait_ended(family, signalled + record.stop_seconds - time.monotonic())
        if late:
            log.warning("process_killed", process=record.name, pids=[process.pid for process in late])
        for process in late:
            _send(process, signal.SIGKILL)
        wait_ended(late, _KILLED_SECONDS)
        for file in record.leaves:
            Path(file).unlink(missing_ok=True)


def kill_leftovers(record: ProcessRecord) -> None:
    """Kill what a process that has ended left behind: its children would keep its port, and answer in its place."""
    family = record.family()
    for process in family:
        _send(process, signal.SIGKILL)
    if family:
        log.warning("leftovers_killed", process=record.name, pids=[process.pid for process in family])
    wait_ended(family, _KILLED_SECONDS)
    for file in record.leaves:
        Path(file).unlink(missing_ok=True)


def wait_ended(processes: Iterable[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait until these processes have ended (or are zombies, not reaped yet); return those that still run."""
    end = time.monotonic() + seconds
    while (living := [process for process in processes if _lives(process)]) and time.monotonic() < end:
        time.sleep(_POLL_SECONDS)
    return living


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _find(pid: int) -> psutil.Process | None:
    try:
        return psutil.Process(pid)
    except psutil.NoSuchProcess:
        return None


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _send(process: psutil.Process, number: int) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


def _session(leader: int) -> list[psutil.Process]:
    """Find the processes of the session that this leader opened; each recorded process has its own session."""
    members = []
    for process in psutil.process_iter():
        try:
            if process.pid != leader and os.getsid(process.pid) == leader:
                members.append(process)
        except (psutil.NoSuchProcess, ProcessLookupError):
            continue
    return members
