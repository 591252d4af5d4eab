"""`make test-upgrade`: a rolling upgrade from version 0.1.0 under load; a line per step, then one of JSON.

Version 0.1.0 fills an empty stack and serves it. Under load, this version migrates the stores, and its workers and API
join those of version 0.1.0. Then those stop, and this version is alone. In the end follow the commands that
docs/how-to/upgrade.md names: dead letters are replayed, and the counters of version 0.1.0 counted again.

Exit code 1 if anything that was accepted is lost, counted twice or wrong, this version answered a call by 500, a feed
was not served, or was not ranked by the model; 3 if version 0.1.0 cannot be installed. Calls that version 0.1.0
answered by 500 are told: clients repeat them.
"""

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from photofeed.embedded.ports import LOOPBACK
from photofeed.embedded.processes import Command, ProcessGroup
from photofeed.embedded.stack import EmbeddedStack
from photofeed.feature_store import close_feature_store, load_counter_views, open_feature_store
from photofeed.interruption import end_in_order
from tools.chaos.judge import Judge
from tools.chaos.ledger import BY_MODEL, Ledger
from tools.chaos.load import Load
from tools.chaos.stack import PHOTOFEED, WORKERS, Stack, set_quick_sweeps
from tools.listening import free_port
from tools.upgrade.released import NotThereError, Released, installed

NOT_THERE = 3
PHASE_SECONDS = 20.0
# Workers of version 0.1.0 delete originals at one of their two keys. The other goes when its address has expired.
UPLOAD_URL_SECONDS = 60
_FEATURES = "features"


@dataclass(frozen=True, slots=True)
class Upgrade:
    """How an upgrade went.

    Attributes:
        figures: of the line of JSON.
        broken: what is wrong.
        released: what version 0.1.0 did wrong, which is no fault of this version.
    """

    figures: dict[str, Any]
    broken: list[str]
    released: list[str]

    @classmethod
    def judged(cls, judge: Judge, released_url: str, left: Sequence[str] = ()) -> "Upgrade":
        """Compare what was accepted with what is there.

        Args:
            judge: of the upgraded stack.
            released_url: that of the API of version 0.1.0.
            left: what `photofeed verify` found before it was mended.
        """
        judge.compare()
        ledger = judge.ledger
        figures = _figures(judge)
        ours = [text for url, text in ledger.http500 if url != released_url]
        theirs = [text for url, text in ledger.http500 if url == released_url]
        told = {released_url: "version 0.1.0", "": "nobody"}
        feeds = [
            f"feed\tof {told.get(feed.url, 'this version')} after {feed.seconds:.1f} s: {feed.ranking or 'none'}"
            for feed in ledger.feeds
            if feed.ranking != BY_MODEL
        ]
        if not ledger.feeds:
            feeds.append("feed\tnone was asked for")
        figures |= {"http500": len(ours), "http500OfReleased": len(theirs)}
        broken = judge.violations + feeds + [f"http500\t{one}" for one in ours]
        return cls(figures, broken, [f"http500\t{one}" for one in theirs] + [f"left\t{one}" for one in left])


@contextmanager
def _step(name: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    sys.stdout.write(f"{name}\t{time.monotonic() - began:.1f} s\n")
    sys.stdout.flush()


@contextmanager
def _running(
    stack: Stack, url: str, program: str = PHOTOFEED, prefix: str = "", variables: Mapping[str, str] | None = None
) -> Iterator[ProcessGroup]:
    """Workers and API of one version; the workers start and stop first. Yields the features worker."""
    more = variables or {}
    workers = {name: Command(f"{prefix}{name}", (program, "work", worker), more) for name, worker in WORKERS.items()}
    features = workers.pop(_FEATURES)
    port = {"PHOTOFEED_PORT": url.rpartition(":")[2]}
    api = Command(f"{prefix}api", (program, "serve"), {**more, **port}, f"{url}/readyz")
    groups = [ProcessGroup(stack.embedded.state, commands) for commands in ([features], [*workers.values()], [api])]
    try:
        for group in groups:
            group.start()
        yield groups[0]
    finally:
        for group in groups:
            group.stop()


def _upgraded(state: Path, released: Released, seconds: float) -> Upgrade:
    """Upgrade a filled stack under load."""
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
            _run(stack, "setup")
        features = owned.enter_context(_running(stack, stack.urls[1]))
        with _step("both versions"):
            time.sleep(2 * seconds)
        with _step("version 0.1.0 stops"):
            old.close()
        with _step("this version alone"):
            time.sleep(seconds)
        load.end()
        judge = Judge(stack, ledger)
        judge.settle()
        counts = Counter(one["check"] for one in judge.disagreements(patience=0))
        left = [f"{check}\t{count} times" for check, count in sorted(counts.items())]
        with _step("what version 0.1.0 left is mended"):
            _mend(stack, judge, features)
        return Upgrade.judged(judge, stack.urls[0], left)


def _mend(stack: Stack, judge: Judge, features: ProcessGroup) -> None:
    """Do what docs/how-to/upgrade.md says of version 0.1.0."""
    _run(stack, "dlq", "replay")
    judge.settle()
    features.stop()
    store = open_feature_store(stack.settings)
    try:
        views = [view.name for view in load_counter_views(store)]
    finally:
        close_feature_store(store)
    for view in views:
        _run(stack, "features", "backfill", view)
    features.start()
    time.sleep(UPLOAD_URL_SECONDS)
    _run(stack, "photos", "sweep")


def _run(stack: Stack, *arguments: str) -> None:
    done = stack.run(*arguments)
    if done.returncode:
        raise RuntimeError(f"photofeed {' '.join(arguments)} failed: {done.stderr}")


def _figures(judge: Judge) -> dict[str, Any]:
    ledger = judge.ledger
    return {
        "uploadsAccepted": len(ledger.uploads),
        "uploadsSettled": judge.uploads_settled(),
        "eventsAccepted": len(ledger.events),
        "eventsLogged": judge.events_logged(),
        "countersWrong": judge.counters_wrong(),
        "violations": len(judge.violations),
        "feeds": len(ledger.feeds),
        "feedsServed": sum(feed.served for feed in ledger.feeds),
        "feedsByModel": ledger.feeds_by_model,
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
    end_in_order()
    set_quick_sweeps()
    os.environ["PHOTOFEED_UPLOAD_URL_SECONDS"] = str(UPLOAD_URL_SECONDS)
    with tempfile.TemporaryDirectory(prefix="upgrade-") as name:
        state = Path(name) / "state"
        with _step("version 0.1.0 fills an empty stack"):
            released.fill(state)
        upgrade = _upgraded(state, released, options.seconds)
    sys.stdout.writelines(f"RELEASED\t{one}\n" for one in upgrade.released)
    sys.stdout.writelines(f"BROKEN\t{one}\n" for one in upgrade.broken)
    sys.stdout.write(f"{orjson.dumps(upgrade.figures).decode()}\n")
    return 1 if upgrade.broken else 0


if __name__ == "__main__":
    sys.exit(main())
