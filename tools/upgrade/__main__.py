"""`make test-upgrade`: a rolling upgrade from version 0.1.0 under load; a line per step, then one of JSON.

Version 0.1.0 fills an empty stack and serves it. Under load, this version migrates the stores, and its workers and API
join those of version 0.1.0. Then those stop, and this version is alone.

Exit code 1 if anything that was accepted is lost, counted twice or wrong, a call was answered by 500, a feed was not
served, or was not ranked by the model; 3 if version 0.1.0 cannot be installed.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import orjson

from photofeed.embedded.ports import LOOPBACK
from photofeed.embedded.processes import Command, ProcessGroup
from photofeed.embedded.stack import EmbeddedStack
from tools.chaos.judge import Judge
from tools.chaos.ledger import Ledger
from tools.chaos.load import BY_MODEL, Load
from tools.chaos.stack import PHOTOFEED, WORKERS, Stack, free_port, set_quick_sweeps
from tools.upgrade.released import NotThereError, Released, installed

NOT_THERE = 3
PHASE_SECONDS = 20.0


@contextmanager
def _step(name: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    sys.stdout.write(f"{name}\t{time.monotonic() - began:.1f} s\n")
    sys.stdout.flush()


@contextmanager
def _running(
    stack: Stack, url: str, program: str = PHOTOFEED, prefix: str = "", variables: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Workers and API of one version; the workers start and stop first."""
    more = variables or {}
    workers = [Command(f"{prefix}{name}", (program, "work", worker), more) for name, worker in WORKERS.items()]
    port = {"PHOTOFEED_PORT": url.rpartition(":")[2]}
    api = [Command(f"{prefix}api", (program, "serve"), {**more, **port}, f"{url}/readyz")]
    groups = [ProcessGroup(stack.embedded.state, commands) for commands in (workers, api)]
    try:
        for group in groups:
            group.start()
        yield
    finally:
        for group in groups:
            group.stop()


def _upgraded(state: Path, released: Released, seconds: float) -> tuple[dict[str, Any], list[str]]:
    """Upgrade a filled stack under load; returns the figures, and what is wrong."""
    embedded, ledger = EmbeddedStack(state), Ledger()
    with ExitStack() as owned:
        owned.callback(embedded.stop)
        embedded.start()
        settings = embedded.settings()
        stack = Stack(settings, embedded, (settings.public_url, f"http://{LOOPBACK}:{free_port()}"))
        old = owned.enter_context(ExitStack())
        old.enter_context(_running(stack, stack.urls[0], released.photofeed, "released-", released.variables))
        load = Load(stack, ledger, seed=1, receipts=False)
        load.begin()
        owned.callback(load.end)
        with _step("version 0.1.0 alone"):
            time.sleep(seconds)
        with _step("photofeed setup of this version"):
            done = stack.run("setup")
        if done.returncode:
            return {}, [f"setup\t{done.stderr}"]
        owned.enter_context(_running(stack, stack.urls[1]))
        with _step("both versions"):
            time.sleep(2 * seconds)
        with _step("version 0.1.0 stops"):
            old.close()
        with _step("this version alone"):
            time.sleep(seconds)
        load.end()
        judge = Judge(stack, ledger)
        figures = _figures(judge, ledger)
        return figures, judge.violations + [f"http500\t{one}" for one in ledger.http500]


def _figures(judge: Judge, ledger: Ledger) -> dict[str, Any]:
    judge.settle()
    judge.compare()
    served = sum(good for _, _, good in ledger.feeds)
    return {
        "uploadsAccepted": len(ledger.uploads),
        "uploadsSettled": judge.uploads_settled(),
        "eventsAccepted": len(ledger.events),
        "eventsLogged": judge.events_logged(),
        "countersWrong": judge.counters_wrong(),
        "violations": len(judge.violations),
        "feeds": len(ledger.feeds),
        "feedsServed": served,
        "feedsByModel": ledger.rankings[BY_MODEL],
        "http500": len(ledger.http500),
    }


def main() -> int:
    """Fill, upgrade, compare."""
    parser = argparse.ArgumentParser(prog="make test-upgrade", description=__doc__)
    parser.add_argument("--seconds", type=float, default=PHASE_SECONDS, help="of each version alone; both: twice that")
    options = parser.parse_args()
    try:
        released = installed()
    except NotThereError as error:
        sys.stderr.write(f"version 0.1.0 cannot be installed: {error}\n")
        return NOT_THERE
    set_quick_sweeps()
    with tempfile.TemporaryDirectory(prefix="upgrade-") as name:
        state = Path(name) / "state"
        with _step("version 0.1.0 fills an empty stack"):
            released.fill(state)
        figures, told = _upgraded(state, released, options.seconds)
    sys.stdout.writelines(f"BROKEN\t{one}\n" for one in told)
    sys.stdout.write(f"{orjson.dumps(figures).decode()}\n")
    whole = figures and figures["feeds"] == figures["feedsServed"] == figures["feedsByModel"] > 0
    return 0 if whole and not told else 1


if __name__ == "__main__":
    sys.exit(main())
