"""What everything on one machine uses while nobody uses it: a table by process, then one line of JSON.

`make up` runs in a new folder. After its caches and connections have settled, processor time is counted and memory is
read. Memory is the proportional share (PSS): pages that several processes share count once.
"""

import argparse
import json
import sys
import tempfile
import threading
from pathlib import Path

import psutil
from resource_usage import processor_seconds
from rich.console import Console
from rich.table import Table

from photofeed.embedded.record import load_records
from photofeed.embedded.stack import ALL_SERVERS
from photofeed.embedded.state import StateFolder
from simulation.running import running_photofeed
from simulation.scale import DEMO
from simulation.stages import ConsoleStages

SETTLE_SECONDS = 60.0
OWN = "supervisor"


def _families(run: Path) -> dict[str, list[psutil.Process]]:
    return {record.name: record.family() for record in load_records(run)} | {OWN: [psutil.Process()]}


def _megabytes(family: list[psutil.Process]) -> float:
    return sum(float(process.memory_full_info().pss) for process in family) / 2**20


def main() -> int:
    """Start everything, wait, and read."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--seconds", type=float, default=180.0, help="how long processor time is counted")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="idle-") as name:
        folder = Path(name) / "state"
        with running_photofeed(folder, DEMO, ConsoleStages(Console(stderr=True))):
            waiting = threading.Event()
            waiting.wait(SETTLE_SECONDS)
            before = {
                name: sum(map(processor_seconds, own)) for name, own in _families(StateFolder(folder).run).items()
            }
            waiting.wait(options.seconds)
            families = _families(StateFolder(folder).run)
            cores = {
                name: (sum(map(processor_seconds, own)) - before[name]) / options.seconds
                for name, own in families.items()
            }
            memory = {name: _megabytes(own) for name, own in families.items()}
    table = Table("", "share of a core", "MB")
    for name in sorted(cores, key=lambda one: -cores[one]):
        table.add_row(name, f"{cores[name]:.2%}", f"{memory[name]:.0f}")
    Console().print(table)
    figures = {
        "seconds": options.seconds,
        "cores": round(sum(cores.values()), 3),
        "memoryMb": round(sum(memory.values())),
        "serverCores": round(sum(cores[name] for name in ALL_SERVERS), 3),
        "serverMemoryMb": round(sum(memory[name] for name in ALL_SERVERS)),
    }
    sys.stdout.write(f"{json.dumps(figures)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
