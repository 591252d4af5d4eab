"""`make chaos`: faults on a whole stack under load; a line per fault, then one of JSON.

Exit code 1 if anything that was accepted is lost, counted twice or wrong, if a call was answered by 500, or if a limit
of time or availability was missed. With --no-limits the latter is only told; what never ends is wrong all the same.
"""

import argparse
import math
import random
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from photofeed.interruption import end_in_order
from tools.chaos.faults import Fault, faults, one_round, subset
from tools.chaos.judge import Judge
from tools.chaos.ledger import Ledger
from tools.chaos.load import Load
from tools.chaos.promotions import Promoter
from tools.chaos.stack import Stack, running_stack

MOST_MINUTES, SHORT_MINUTES = 60.0, 5.0
WARM_SECONDS, APART_SECONDS, LAST_SECONDS = 12.0, 10.0, 10.0
LOGS = Path("build/chaos")  # of a run that found something
LEAST_AVAILABILITY, MOST_RECOVERY_SECONDS = 0.995, 10.0


@dataclass(slots=True)
class Course:
    """What was injected, and when.

    Attributes:
        back: when what was broken answered again, by fault.
        without_feeds: from and until when feeds may fail.
        failed: faults that could not be injected, or did not end, and why.
    """

    back: list[tuple[Fault, float]] = field(default_factory=list)
    without_feeds: list[tuple[float, float]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def inject(self, fault: Fault) -> None:
        """Inject a fault; returns some time after what was broken answers again."""
        began = time.monotonic()
        try:
            fault.inject()
        except Exception as error:  # noqa: BLE001  whatever it was, it is told, and the others follow
            self.failed.append(f"fault\t{fault.name}: {error!r}")
        back = time.monotonic()
        sys.stdout.write(f"{fault.name}\t{back - began:.1f} s\n")
        sys.stdout.flush()
        time.sleep(APART_SECONDS)
        self.back.append((fault, back))
        if fault.stops_feeds:
            self.without_feeds.append((began, back + MOST_RECOVERY_SECONDS))

    def availability(self, ledger: Ledger) -> float:
        """Which share of the feeds was served while it could be."""
        counted = [one.served for one in ledger.feeds if not self._excused(one.ended - one.seconds, one.ended)]
        return sum(counted) / len(counted) if counted else 0.0

    def _excused(self, began: float, ended: float) -> bool:
        return any(began < until and ended > since for since, until in self.without_feeds)


def _run(stack: Stack, ledger: Ledger, promoter: Promoter | None, options: argparse.Namespace) -> Course:
    course, chance = Course(), random.Random(options.seed)
    load, until = Load(stack, ledger, options.seed), time.monotonic() + 60 * options.minutes
    load.begin()
    if promoter is not None:
        promoter.begin()
    try:
        time.sleep(WARM_SECONDS)
        for fault in chosen(stack, chance, options):
            if time.monotonic() > until:
                break
            course.inject(fault)
        time.sleep(LAST_SECONDS)
    finally:
        load.end()
        if promoter is not None:
            promoter.end()
    return course


def chosen(stack: Stack, chance: random.Random, options: argparse.Namespace) -> Iterator[Fault]:
    """The faults of a run, in their order."""
    if _is_short(options):
        return subset(stack, chance)
    if options.only is not None:
        return (fault for fault in one_round(stack, chance) if options.only.search(fault.name))
    return faults(stack, chance)


def _is_short(options: argparse.Namespace) -> bool:
    return options.only is None and bool(options.minutes < SHORT_MINUTES)


def _judged(stack: Stack, ledger: Ledger, course: Course) -> tuple[dict[str, Any], list[str], list[str]]:
    """The figures, what is wrong, and which limits were missed."""
    judge = Judge(stack, ledger)
    judge.settle()
    judge.compare()
    recoveries = {fault.name: ledger.recovery(back) for fault, back in course.back}
    figures: dict[str, Any] = {
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
    wrong = judge.violations + course.failed + [f"http500\t{one}" for _, one in ledger.http500]
    wrong += [
        f"recovery\tevents were never accepted after {name}" for name, took in recoveries.items() if math.isinf(took)
    ]
    missed = [
        f"recovery\tevents took {took:.1f} s after {name}"
        for name, took in recoveries.items()
        if MOST_RECOVERY_SECONDS < took < math.inf
    ]
    if figures["feedAvailability"] < LEAST_AVAILABILITY:
        missed.append(f"availability\t{figures['feedAvailability']:.2%} of the feeds were served")
    if math.isinf(figures["eventsRecoverySecondsMax"]):
        figures["eventsRecoverySecondsMax"] = None
    return figures, wrong, missed


@contextmanager
def _kept_logs(stack: Stack) -> Iterator[list[str]]:
    """Keep the logs unless the block ends without adding to the list."""
    found: list[str] = []
    try:
        yield found
    except BaseException as error:
        found.append(repr(error))
        raise
    finally:
        if found:
            shutil.copytree(stack.folder / "log", LOGS, dirs_exist_ok=True)


def main() -> int:
    """Run for some minutes, then compare."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=MOST_MINUTES, help="below 5: a fixed set of six faults")
    parser.add_argument("--seed", type=int, default=1, help="of the order of faults and of what clients do")
    parser.add_argument(
        "--kafka", action="store_true", help="three brokers of Apache Kafka are the log: see `make kafka`"
    )
    parser.add_argument(
        "--only", type=re.compile, metavar="PATTERN", help="each fault whose name this regular expression finds, once"
    )
    parser.add_argument("--no-limits", action="store_true", help="missed limits of time and availability do not fail")
    options = parser.parse_args()
    if not 0 < options.minutes <= MOST_MINUTES:
        parser.error(f"--minutes: more than 0 and at most {MOST_MINUTES:g}")
    end_in_order()
    ledger = Ledger()
    with (
        tempfile.TemporaryDirectory(prefix="chaos-") as name,
        running_stack(Path(name) / "state", whole=not _is_short(options), kafka=options.kafka) as stack,
    ):
        sys.stdout.writelines(f"LEFT OUT\t{one}\n" for one in stack.left_out)
        with _kept_logs(stack) as found:
            promoter = None if _is_short(options) else Promoter(stack.settings)
            course = _run(stack, ledger, promoter, options)
            figures, wrong, missed = _judged(stack, ledger, course)
            if promoter is not None:
                figures |= {"promotions": promoter.moves, "feedsByModel": ledger.feeds_by_model}
                wrong += promoter.wrong
            found.extend(wrong + missed)
    sys.stdout.writelines(f"BROKEN\t{one}\n" for one in wrong)
    sys.stdout.writelines(f"LIMIT\t{one}\n" for one in missed)
    sys.stdout.write(f"{orjson.dumps(figures).decode()}\n")
    return 1 if wrong or (missed and not options.no_limits) else 0


if __name__ == "__main__":
    sys.exit(main())
