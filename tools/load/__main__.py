"""`make load`: traffic that rises until an objective breaks. Prints a line per step, then one of JSON.

Requests come at random times and do not wait for answers. When an objective is broken, twice as much traffic follows,
which must be answered well or by 503, then half of the traffic that was good, with which all must hold again. A page
with the bottleneck is written. Exit code 1 if requests were lost, or the objectives did not hold again.

    highestRate       requests per second with which all objectives held
    brokenRate        the next step, with which they did not
    broken            the objectives that broke
    bottleneck        what kept the stack from doing more
    overload          twice brokenRate: shares that were served, refused by 503 and lost, and p99 of served feeds
    recoverySeconds   until the objectives held again
    lateSeconds       p99 of how late this client was; tenths of a second mean that it was the bottleneck
"""

import argparse
import sys
from functools import partial
from pathlib import Path

import orjson

from photofeed.interruption import end_in_order
from tools.load.processes import usage
from tools.load.readings import reading
from tools.load.report import write_report
from tools.load.steps import Overload, Probes, Step, overload, rising
from tools.load.traffic import Traffic
from tools.load.world import loaded_world

REPORT = Path("build") / "load" / "report.html"
MOST_LOST = 0.002  # connections that the server's queue of the operating system had no room for
_WARM_RATE, _WARM_SECONDS = 10.0, 10.0


def main() -> int:
    """Fill a stack, and load it."""
    parser = argparse.ArgumentParser(
        prog="make load", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rate", type=float, default=20.0, help="requests per second of the first step")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of a step")
    options = parser.parse_args()
    if not 1 <= options.rate <= 10_000 or not 5 <= options.seconds <= 600:  # noqa: PLR2004
        parser.error("--rate: 1 to 10000; --seconds: 5 to 600")
    end_in_order()
    with loaded_world() as world:
        traffic = Traffic(world)
        probes = Probes(partial(usage, world.records), partial(reading, world))
        traffic.send(_WARM_RATE, _WARM_SECONDS)
        steps = rising(traffic, probes, options.rate, options.seconds, _told)
        good = steps[-2].rate if len(steps) > 1 else options.rate / 2
        over = overload(traffic, good, steps[-1].rate, options.seconds)
    write_report(REPORT, steps, over)
    sys.stdout.write(f"{orjson.dumps(_figures(steps, over)).decode()}\n")
    return 1 if over.lost > MOST_LOST or over.recovery_seconds is None else 0


def _told(step: Step) -> None:
    figures = ", ".join(f"{name} {value:.3f}" for name, value in step.figures.items())
    sys.stdout.write(f"{step.rate:.0f} per second\t{figures}\t{step.bottleneck}\t{step.failures}\n")
    sys.stdout.flush()


def _figures(steps: list[Step], over: Overload) -> dict[str, object]:
    return {
        "highestRate": round(steps[-2].rate) if len(steps) > 1 else None,
        "brokenRate": round(steps[-1].rate),
        "broken": [one.name for one in steps[-1].broken],
        "bottleneck": steps[-1].bottleneck,
        "overload": {
            "rate": round(over.rate),
            "served": round(over.served, 3),
            "refused": round(over.refused, 3),
            "lost": round(over.lost, 4),
            "feedP99Seconds": round(over.feed_p99_seconds, 2),
        },
        "recoverySeconds": None if over.recovery_seconds is None else round(over.recovery_seconds, 1),
        "lateSeconds": round(max(step.late_seconds for step in steps), 3),
        "report": str(REPORT),
    }


if __name__ == "__main__":
    sys.exit(main())
