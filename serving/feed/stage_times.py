"""The time of each stage of ranking, as a metric."""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Protocol

from prometheus_client import Histogram

STAGE_SECONDS = Histogram(
    "photofeed_feed_stage_seconds",
    "Time of each stage of the feed path",
    ["stage"],
    buckets=(0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.0),
)


@contextlib.contextmanager
def timed(stage: str) -> Iterator[None]:
    """Observe how long the block takes."""
    started = time.perf_counter()
    try:
        yield
    finally:
        _stage(stage).observe(time.perf_counter() - started)


class _Observer(Protocol):
    def observe(self, seconds: float) -> None: ...


@dataclass(slots=True)
class _Making:
    make: Callable[[str, Histogram], _Observer] = lambda _, seconds: seconds


_making = _Making()


def trace_stages(make: Callable[[str, Histogram], _Observer]) -> None:
    """Let `make` make what observes a stage, from its name and histogram."""
    _making.make = make
    _stage.cache_clear()


@cache
def _stage(name: str) -> _Observer:
    """The histogram of one stage. Cached: prometheus_client looks it up under a lock."""
    return _making.make(name, STAGE_SECONDS.labels(name))
