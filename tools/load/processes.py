"""What the processes of a stack use, by the names of their records."""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from photofeed.embedded.record import ProcessRecord, load_records

CLIENT = "load client"
_BUSY = 0.9  # of a core, or of all: there is no more to be had


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process and its descendants use.

    Attributes:
        processor_seconds: since they started.
        rss_mb: memory; pages that they share count for each.
        files: open file descriptors.
        connections: open network connections.
        pids: of the processes: others follow when it is started again.
    """

    processor_seconds: float
    rss_mb: float
    files: int
    connections: int
    pids: frozenset[int]


def usage(records: Path) -> dict[str, Usage]:
    """Name -> usage of every process of a stack, and of this one as CLIENT."""
    own = psutil.Process()
    found = {CLIENT: _of([own])}
    for record in load_records(records):
        family = _family(record)
        if family:
            found[record.name] = _of(family)
    return found


def _family(record: ProcessRecord) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return record.family()
    return []


def _of(family: list[psutil.Process]) -> Usage:
    seconds, memory, files, connections, pids = 0.0, 0, 0, 0, set[int]()
    for process in family:
        with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            times = process.cpu_times()
            seconds += times.user + times.system
            memory += process.memory_info().rss
            files += process.num_fds()
            connections += len(process.net_connections("inet"))
            pids.add(process.pid)
    return Usage(seconds, memory / 2**20, files, connections, frozenset(pids))


def cores(before: Mapping[str, Usage], after: Mapping[str, Usage], seconds: float) -> dict[str, float]:
    """Name -> cores that a process kept busy between two readings, most first."""
    used = {
        name: max(after[name].processor_seconds - before[name].processor_seconds, 0.0) / seconds
        for name in after
        if name in before
    }
    return dict(sorted(used.items(), key=lambda one: -one[1]))


def bottleneck(used: Mapping[str, float], available: int | None = None) -> str:
    """What kept a stack from doing more, by the cores that its processes used, most first."""
    available = available or os.cpu_count() or 1
    first = next(iter(used), "")
    most = ", ".join(f"{name} {share:.2f}" for name, share in list(used.items())[:3])
    if sum(used.values()) >= _BUSY * available:
        return f"the {available} cores of this machine: {most}"
    if first and used[first] >= _BUSY:
        return f"{first}: it has one core"
    return f"no processor ({sum(used.values()):.1f} of {available} cores are used): {most}"
