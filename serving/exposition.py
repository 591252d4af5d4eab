"""The metrics of this server: those of its only process, or of all its processes together."""

import os
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector

from serving.metrics_folder import FOLDER_VARIABLE


def exposition() -> bytes:
    """The metrics in Prometheus' text format.

    If there are several processes, counters and histograms are sums, also of processes that have ended, and gauges are
    what each declares, of processes that run.
    """
    # decided when prometheus_client was imported; the variable may have come later, for example by an import of Feast
    if values.ValueClass is values.MutexValue:
        return generate_latest()
    _forget_ended(Path(os.environ[FOLDER_VARIABLE]))
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def _forget_ended(folder: Path) -> None:
    """Remove the gauges of processes that have ended: nothing tells of a process that was killed."""
    for file in folder.glob("gauge_live*_*.db"):
        try:
            os.kill(int(file.stem.rpartition("_")[2]), 0)
        except ProcessLookupError:
            file.unlink(missing_ok=True)  # another process may be faster
