"""`make chaos`: faults on a whole stack under load; a line per fault, then one of JSON.

Exit code 1 if anything that was accepted is lost, counted twice or wrong, or if an objective was missed.
"""

import argparse
import math
import random
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from tools.chaos.faults import Fault, faults, subset
from tools.chaos.judge import Judge
from tools.chaos.ledger import Ledger
from tools.chaos.load import Load
from tools.chaos.stack import Stack, running_stack

MOST_MINUTES, SHORT_MINUTES = 60.0, 5.0
WARM_SECONDS, APART_SECONDS, LAST_SECONDS = 15.0, 14.0, 12.0
LEAST_AVAILABILITY, MOST_RECOVERY_SECONDS = 0.995, 10.0


@dataclass(slots=True)
class Course:
    """What was injected, and when.

    Attributes:
        back: when what was broken answered again, by fault.
        without_feeds: from and until when feeds may fail.
    """

    back: list[tuple[Fault, float]] = field(default_factory=list)
    without_feeds: list[tuple[float, float]] = field(default_factory=list)

    def availability(self, ledger: Ledger) -> float:
        """Which share of the feeds was served while it could be."""
        counted = [good for moment, took, good in ledger.feeds if not self._excused(moment - took, moment)]
        return sum(counted) / len(counted) if counted else 0.0

    def _excused(self, began: float, ended: float) -> bool:
        return any(began < until and ended > since for since, until in self.without_feeds)


def _run(stack: Stack, ledger: Ledger, minutes: float, seed: int) -> Course:
    course, chance = Course(), random.Random(seed)
    load, until = Load(stack, ledger, seed), time.monotonic() + 60 * minutes
    load.begin()
    try:
        time.sleep(WARM_SECONDS)
        for fault in (subset if minutes < SHORT_MINUTES else faults)(stack, chance):
            if time.monotonic() > until:
                break
            began = time.monotonic()
            fault.inject()
            back = time.monotonic()
            sys.stdout.write(f"{fault.name}\t{back - began:.1f} s\n")
            sys.stdout.flush()
            time.sleep(APART_SECONDS)
            course.back.append((fault, back))
            if fault.stops_feeds:
                course.without_feeds.append((began, back + MOST_RECOVERY_SECONDS))
        time.sleep(LAST_SECONDS)
    finally:
        load.end()
    return course


def _judged(stack: Stack, ledger: Ledger, course: Course) -> tuple[dict[str, Any], list[str]]:
    judge = Judge(stack, ledger)
    judge.settle()
    judge.compare()
    recoveries = {fault.name: ledger.recovery(back) for fault, back in course.back}
    figures = {
        "faults": len(course.back),
        "uploadsAccepted": len(ledger.uploads),
        "uploadsSettled": judge.uploads_settled(),
        "eventsAccepted": len(ledger.events),
        "eventsLogged": judge.events_logged(),
        "countersWrong": judge.counters_wrong(),
        "violations": len(judge.violations),
        "feedAvailability": round(course.availability(ledger), 4),
        "eventsRecoverySecondsMax": round(max(recoveries.values(), default=0.0), 1),
        "http500": len(ledger.http500),
    }
    told = judge.violations + [f"http500\t{one}" for one in ledger.http500]
    slow = {name: took for name, took in recoveries.items() if took > MOST_RECOVERY_SECONDS}
    return figures, told + [f"recovery\tevents took {took:.1f} s after {name}" for name, took in slow.items()]


def main() -> int:
    """Run for some minutes, then compare."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=MOST_MINUTES, help="below 5: a fixed set of six faults")
    parser.add_argument("--seed", type=int, default=1, help="of the order of faults and of what clients do")
    options = parser.parse_args()
    if not 0 < options.minutes <= MOST_MINUTES:
        parser.error(f"--minutes: more than 0 and at most {MOST_MINUTES:g}")
    ledger = Ledger()
    with (
        tempfile.TemporaryDirectory(prefix="chaos-") as name,
        running_stack(Path(name) / "state") as stack,
    ):
        course = _run(stack, ledger, options.minutes, options.seed)
        figures, told = _judged(stack, ledger, course)
    sys.stdout.writelines(f"BROKEN\t{one}\n" for one in told)
    if figures["feedAvailability"] < LEAST_AVAILABILITY:
        told.append("feedAvailability")
    if math.isinf(figures["eventsRecoverySecondsMax"]):
        figures["eventsRecoverySecondsMax"] = None
    sys.stdout.write(f"{orjson.dumps(figures).decode()}\n")
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())
