"""Waiting for others to finish their work, with an end to it."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from simulation.errors import BrokenPathError


@dataclass(frozen=True, slots=True)
class Patience:
    """How to wait: pauses grow from `first` to `longest` seconds; `clock` and `sleep` are seams for tests."""

    first: float = 0.2
    longest: float = 2.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def until_done(self, measure: Callable[[], int], goal: int, *, stalled_seconds: float, what: str) -> int:
        """Measure until `goal` is reached; returns the last measure.

        Raises:
            BrokenPathError: the measure did not grow for `stalled_seconds`.
        """
        pause, best, since = self.first, -1, self.clock()
        while (reached := measure()) < goal:
            if reached > best:
                pause, best, since = self.first, reached, self.clock()
            elif self.clock() - since > stalled_seconds:
                raise BrokenPathError(f"{what}: {reached} of {goal}, and no more for {stalled_seconds:.0f} s")
            self.sleep(pause)
            pause = min(pause * 1.5, self.longest)
        return reached
