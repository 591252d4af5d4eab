"""What must hold under load, and whether it held in a stretch of traffic."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tools.load.traffic import EVENTS, FEED, Answer


@dataclass(frozen=True, slots=True)
class Objective:
    """A limit of one figure, and what the figure says."""

    name: str
    limit: float
    text: str


FEED_P99 = Objective("feedP99Seconds", 0.25, "p99 of GET /v1/feed, in seconds from when it was due")
EVENTS_P99 = Objective("eventsP99Seconds", 0.5, "p99 of POST /v1/events, in seconds from when it was due")
FAILED = Objective("failedShare", 0.01, "share of requests without a good answer; 503 is none")
FRESHNESS = Objective("freshnessP99Seconds", 5.0, "p99 of the time from an action to the features that know it")
PHOTO_WAIT = Objective("photoWaitSeconds", 60.0, "age of the oldest photo that is not processed")
OBJECTIVES = (FEED_P99, EVENTS_P99, FAILED, FRESHNESS, PHOTO_WAIT)


def of_answers(answers: Sequence[Answer]) -> dict[str, float]:
    """The figures that answers tell; 0 for what nobody asked for."""
    figures = {FAILED.name: float(np.mean([not one.good for one in answers])) if answers else 0.0}
    for objective, kind in ((FEED_P99, FEED), (EVENTS_P99, EVENTS)):
        seconds = [one.seconds for one in answers if one.kind == kind and one.good]
        figures[objective.name] = float(np.quantile(seconds, 0.99)) if seconds else 0.0
    return figures


def broken(figures: Mapping[str, float]) -> list[Objective]:
    """The objectives that the figures miss."""
    return [one for one in OBJECTIVES if figures.get(one.name, 0.0) > one.limit]


def quantile(before: Mapping[float, float], after: Mapping[float, float], share: float) -> float:
    """The upper bound of the bucket of a histogram that has a quantile of what was observed between two readings.

    Args:
        before: upper bound -> observations at most that large, at the first reading.
        after: the same at the second.
        share: of the observations that are at most the result.

    Returns:
        0 if nothing was observed.
    """
    counts = {bound: after[bound] - before.get(bound, 0.0) for bound in sorted(after)}
    total = max(counts.values(), default=0.0)
    return next((bound for bound, count in counts.items() if total and count >= share * total), 0.0)
