"""Polling until the work of other processes is done or stalls."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from simulation.errors import BrokenPathError


@dataclass(frozen=True, slots=True)
class Polling:
    """How to poll: pauses grow from `first` to `longest` seconds. Tests replace `clock` and `sleep`."""

    first: float = 0.2
    longest: float = 2.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def until_done(self, measure: Callable[[], int], goal: int, *, stalled_seconds: float, what: str) -> int:
        """Call `measure` until it returns at least `goal`, and return the last value.

        Raises:
            BrokenPathError: the value did not grow for `stalled_seconds`.
        """
        pause, best, since = self.first, -1, self.clock()
        while (reached := measure()) < goal:
            if reached > best:
                pause, best, since = self.first, reached, self.clock()
            elif self.clock() - since > stalled_seconds:
                raise BrokenPathError(f"{what}: {reached} of {goal}, no progress for {stalled_seconds:.0f} s")
            self.sleep(pause)
            pause = min(pause * 1.5, self.longest)
        return reached
