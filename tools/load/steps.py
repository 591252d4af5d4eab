"""Traffic in steps: it rises until an objective breaks; then comes twice as much, then half of what was good."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from itertools import count

import numpy as np

from tools.load.objectives import FAILED, FEED_P99, Objective, broken, of_answers
from tools.load.processes import Usage, bottleneck, cores
from tools.load.traffic import FEED, Answer, Traffic, judged

GROWTH = 1.3
OVERLOAD = 2.0  # times the rate at which an objective broke
_SETTLING_SHARE = 0.2  # of a step: its first seconds are not judged
_WINDOW_SECONDS = 2.0
_LEAST_IN_WINDOW = 5  # answers; fewer do not tell


@dataclass(frozen=True, slots=True)
class Step:
    """A stretch of traffic at one rate.

    Attributes:
        rate: requests per second.
        figures: name of an objective -> what was measured.
        used: name of a process -> cores, most first.
        late_seconds: p99 of how late the client sent requests.
        answers: to the requests that are judged.
    """

    rate: float
    figures: Mapping[str, float]
    used: Mapping[str, float]
    late_seconds: float
    answers: Sequence[Answer]

    @property
    def broken(self) -> list[Objective]:
        """The objectives that did not hold."""
        return broken(self.figures)

    @property
    def failures(self) -> str:
        """The answers that were not good, by kind and status."""
        found = Counter((one.kind, one.status) for one in self.answers if not one.good)
        return ", ".join(f"{times} {kind} {status or 'unanswered'}" for (kind, status), times in found.most_common())

    @property
    def bottleneck(self) -> str:
        """What kept the stack from doing more."""
        return bottleneck(self.used)


@dataclass(frozen=True, slots=True)
class Overload:
    """More traffic than can be served.

    Attributes:
        rate: requests per second.
        served: share of the requests that were answered well.
        refused: share that was answered 503.
        lost: share that was not answered, or answered by another error.
        feed_p99_seconds: of the feeds that were served.
        recovery_seconds: until all objectives held again, with half of the traffic that was good; None: not at all.
    """

    rate: float
    served: float
    refused: float
    lost: float
    feed_p99_seconds: float
    recovery_seconds: float | None


@dataclass(frozen=True, slots=True)
class Probes:
    """How to look into a stack: the use of its processes, and a reading of what answers do not tell.

    `reading` returns a function that gives the figures of the time since it was made.
    """

    usage: Callable[[], Mapping[str, Usage]]
    reading: Callable[[], Callable[[], Mapping[str, float]]]


def step(traffic: Traffic, probes: Probes, rate: float, seconds: float) -> Step:
    """Traffic at one rate."""
    before, figures_since, began = probes.usage(), probes.reading(), time.monotonic()
    everything = traffic.send(rate, seconds)
    used = cores(before, probes.usage(), time.monotonic() - began)
    answers = judged(everything, _SETTLING_SHARE * seconds)
    late = float(np.quantile([one.late for one in answers], 0.99)) if answers else 0.0
    return Step(rate, of_answers(answers) | dict(figures_since()), used, late, answers)


def rising(
    traffic: Traffic, probes: Probes, first_rate: float, seconds: float, tell: Callable[[Step], None]
) -> list[Step]:
    """Steps until an objective breaks twice with one rate; the last one is the broken one."""
    steps: list[Step] = []
    for number in count():
        for _ in range(2):  # the machine may have stalled
            one = step(traffic, probes, first_rate * GROWTH**number, seconds)
            tell(one)
            if not one.broken:
                break
        steps.append(one)
        if one.broken:
            return steps
    raise AssertionError("rates rise without end")


def overload(traffic: Traffic, good_rate: float, broken_rate: float, seconds: float) -> Overload:
    """Too much traffic, then half of what was good."""
    answers = judged(traffic.send(OVERLOAD * broken_rate, seconds), _SETTLING_SHARE * seconds)
    ended = time.monotonic()
    served = sum(one.good for one in answers) / len(answers)
    refused = sum(one.status == HTTPStatus.SERVICE_UNAVAILABLE for one in answers) / len(answers)
    feeds = [one.seconds for one in answers if one.kind == FEED and one.good]
    slowest = float(np.quantile(feeds, 0.99)) if feeds else 0.0
    recovery = recovery_seconds(traffic.send(good_rate / 2, 2 * seconds), ended)
    return Overload(OVERLOAD * broken_rate, served, refused, 1 - served - refused, slowest, recovery)


def recovery_seconds(answers: Sequence[Answer], since: float) -> float | None:
    """Seconds from a moment until the objectives of answers held, and did so to the end; None if they did not."""
    good_from = since
    for window in _windows(answers):
        figures = of_answers(window)
        if figures[FEED_P99.name] > FEED_P99.limit or figures[FAILED.name] > FAILED.limit:
            good_from = window[-1].due + window[-1].seconds
    last = max((one.due for one in answers), default=since)
    return max(good_from - since, 0.0) if good_from < last else None


def _windows(answers: Sequence[Answer]) -> list[list[Answer]]:
    ordered = sorted(answers, key=lambda one: one.due)
    first = ordered[0].due if ordered else 0.0
    groups: dict[int, list[Answer]] = {}
    for one in ordered:
        groups.setdefault(int((one.due - first) / _WINDOW_SECONDS), []).append(one)
    return [group for group in groups.values() if len(group) >= _LEAST_IN_WINDOW]
