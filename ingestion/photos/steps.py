"""The outcome and duration of each step of the photo path."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from ingestion.photos.rejection import PhotoRejected
from photofeed.tracing import past_spans, span

DONE = "done"


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """One step: `outcome` is "done" or the code of the rejection; `millis` is wall-clock time."""

    step: str
    outcome: str
    millis: float


@dataclass(slots=True)
class StepClock:
    """Collects the outcomes of steps in the order in which they ended."""

    outcomes: list[StepOutcome] = field(default_factory=list)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time one step. A rejection is recorded as its outcome and raised."""
        started, outcome = time.perf_counter(), "interrupted"
        try:
            with span(f"photo {name}"):
                yield
            outcome = DONE
        except PhotoRejected as rejection:
            outcome = rejection.code
            raise
        finally:
            self.outcomes.append(StepOutcome(name, outcome, round((time.perf_counter() - started) * 1000, 2)))

    def add(self, outcomes: Sequence[StepOutcome]) -> None:
        """Add the steps that another process just ended."""
        self.outcomes.extend(outcomes)
        past_spans([(f"photo {one.step}", one.millis) for one in outcomes])
