"""The time of each stage of ranking, as a metric."""

import time
from collections.abc import Callable
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


class StageTimer:
    """Observes how long a `with` block takes. A class, because a generator costs more than the observation."""

    __slots__ = ("_observer", "_started")

    def __init__(self, observer: "_Observer") -> None:
        self._observer = observer
        self._started = 0.0

    def __enter__(self) -> None:
        self._started = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._observer.observe(time.perf_counter() - self._started)


def timed(stage: str) -> StageTimer:
    """Observe how long the block takes."""
    return StageTimer(_stage(stage))


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
