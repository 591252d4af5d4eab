"""`make soak`: steady traffic for an hour, and what grew meanwhile. A line per reading, then one of JSON.

Memory, open files and connections of every process are read regularly. Their growth is the slope of the median line
through the readings (Theil-Sen). Caches and pools of connections fill at first and then stay, and what leaks does not
stop: the first third of the time does not count, and of the two others the one that grew less does. Exit code 1 if
something grew by more than its limit, requests failed, or a process was started again. Memory and open files of the
servers are told and not judged: Valkey and SeaweedFS keep what people make, and PostgreSQL keeps tables open.
"""

import argparse
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import orjson
from scipy.stats import theilslopes

from photofeed.embedded.stack import ALL_SERVERS
from photofeed.interruption import end_in_order
from tools.load.objectives import FAILED, of_answers
from tools.load.processes import CLIENT, Usage, usage
from tools.load.traffic import Traffic
from tools.load.world import LoadedWorld, loaded_world

MOST_MINUTES = 60.0
RATE = 15.0
_EVERY_SECONDS, _STRETCH_SECONDS = 10.0, 30.0
_PARTS = 3
_HOUR_SECONDS = 3600.0
MEMORY_LIMIT_MB, MEMORY_LIMIT_SHARE, FILES_LIMIT, CONNECTIONS_LIMIT = 24.0, 0.1, 8.0, 4.0

Readings = Sequence[tuple[float, Mapping[str, Usage]]]


@dataclass(frozen=True, slots=True)
class Growth:
    """What a process grew by in an hour.

    Attributes:
        name: of the process.
        rss_mb, files, connections: at the end.
        rss_mb_per_hour, files_per_hour, connections_per_hour: its growth.
        restarted: whether it was started again.
    """

    name: str
    rss_mb: float
    files: int
    connections: int
    rss_mb_per_hour: float
    files_per_hour: float
    connections_per_hour: float
    restarted: bool

    @property
    def wrong(self) -> list[str]:
        """What is over its limit."""
        memory = max(MEMORY_LIMIT_MB, MEMORY_LIMIT_SHARE * self.rss_mb)
        is_ours = self.name not in ALL_SERVERS
        grown = {
            "memory": is_ours and self.rss_mb_per_hour > memory,
            "open files": is_ours and self.files_per_hour > FILES_LIMIT,
            "connections": self.connections_per_hour > CONNECTIONS_LIMIT,
            "restarted": self.restarted,
        }
        return [what for what, is_wrong in grown.items() if is_wrong]


def growths(readings: Readings) -> list[Growth]:
    """The growth of every process that was there at each reading, or is there again.

    Args:
        readings: (seconds, usage by name).
    """
    parts = [
        readings[len(readings) * part // _PARTS : len(readings) * (part + 1) // _PARTS] for part in range(1, _PARTS)
    ]
    found = []
    for name in sorted({name for _, by_name in readings for name in by_name} - {CLIENT}):
        rss, files, connections = (
            min(_per_hour(part, name, column) for part in parts) for column in ("rss_mb", "files", "connections")
        )
        uses = [by_name[name] for _, by_name in readings if name in by_name]
        last = uses[-1]
        restarted = not uses[0].pids & last.pids or name not in readings[-1][1]
        found.append(Growth(name, last.rss_mb, last.files, last.connections, rss, files, connections, restarted))
    return found


def _per_hour(readings: Readings, name: str, column: str) -> float:
    kept = [(moment, getattr(by_name[name], column)) for moment, by_name in readings if name in by_name]
    if len(kept) < 2:  # noqa: PLR2004  a line needs two points
        return 0.0
    moments, values = np.array(kept).T
    return float(theilslopes(values, moments)[0]) * _HOUR_SECONDS


def _read(world: LoadedWorld, stop: threading.Event) -> list[tuple[float, Mapping[str, Usage]]]:
    readings: list[tuple[float, Mapping[str, Usage]]] = []
    while not stop.wait(_EVERY_SECONDS):
        readings.append((time.monotonic(), usage(world.records)))
    return readings


def main() -> int:
    """Fill a stack, use it for an hour, and judge."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__.split("\n\n")[0])
    parser.add_argument("--minutes", type=float, default=MOST_MINUTES)
    parser.add_argument("--rate", type=float, default=RATE, help="requests per second")
    options = parser.parse_args()
    if not 1 <= options.minutes <= MOST_MINUTES or not 1 <= options.rate <= 1_000:  # noqa: PLR2004
        parser.error(f"--minutes: 1 to {MOST_MINUTES:g}; --rate: 1 to 1000")
    end_in_order()
    stop, answers = threading.Event(), []
    with loaded_world() as world, ThreadPoolExecutor(1) as reader:
        traffic = Traffic(world)
        reading = reader.submit(_read, world, stop)
        try:
            until = time.monotonic() + 60 * options.minutes
            while time.monotonic() < until:
                answers += traffic.send(options.rate, _STRETCH_SECONDS)
        finally:
            stop.set()
        found = growths(reading.result())
    failed = of_answers(answers)[FAILED.name]
    wrong = [f"{one.name}: {', '.join(one.wrong)}" for one in found if one.wrong]
    for one in found:
        sys.stdout.write(
            f"{one.name}\t{one.rss_mb:.0f} MB, {one.files} files, {one.connections} connections\t"
            f"per hour: {one.rss_mb_per_hour:+.1f} MB, "
            f"{one.files_per_hour:+.1f} files, {one.connections_per_hour:+.1f} connections\n"
        )
    ours = [one for one in found if one.name not in ALL_SERVERS]
    figures = {
        "minutes": options.minutes,
        "requests": len(answers),
        "failedShare": round(failed, 4),
        "processes": len(found),
        "rssMbPerHourMax": round(max(one.rss_mb_per_hour for one in ours), 1),
        "filesPerHourMax": round(max(one.files_per_hour for one in ours), 1),
        "connectionsPerHourMax": round(max(one.connections_per_hour for one in found), 1),
        "grown": wrong,
    }
    sys.stdout.write(f"{orjson.dumps(figures).decode()}\n")
    return 1 if wrong or failed > FAILED.limit else 0


if __name__ == "__main__":
    sys.exit(main())
