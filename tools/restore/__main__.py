"""`make restore-test`: back up a small world, restore it into an empty stack, and compare; lines, then JSON.

Two backups are made: one at rest, and one under load (tools/restore/under_load.py). Exit code 1 if what is restored of
the first differs in tables, models, images, history, counters or feeds, if what is restored of the second lacks
something that was acknowledged or refers to what is not there, or if `photofeed verify` finds a disagreement in either.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console

from photofeed.embedded.stack import EmbeddedStack
from photofeed.interruption import end_in_order
from photofeed.models.registry import CHAMPION
from simulation.api_client import ApiClient
from simulation.demo import JOURNAL_FILE, SEED, most_active_readers
from simulation.errors import BrokenPathError
from simulation.journal import Journal
from simulation.painting import Paintings
from simulation.path import build_ranked_world
from simulation.replies import RANKED_BY_MODEL, Feed
from simulation.running import PHOTOFEED, RunningPhotofeed, processes_of, running_photofeed
from simulation.scale import SMOKE
from simulation.stages import ConsoleStages, Stages
from simulation.waiting import Polling
from tools.restore.facts import Facts, facts_of
from tools.restore.under_load import Acknowledged, Loaded, dangling, judged, under_load

QUIET, BUSY = "at-rest", "under-load"
READERS = 10
LEAST_SAME = 0.9  # posts of a feed: a few are drawn, and scores change with the age of posts
_STALLED_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Original:
    """What the photofeed was that was backed up."""

    facts: Facts
    feeds: dict[str, Feed]
    acknowledged: Acknowledged
    backup_seconds: float
    loaded_backup_seconds: float


def _photofeed(state: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PHOTOFEED_STATE_DIR": str(state)}
    return subprocess.run(  # noqa: S603  our own command
        [PHOTOFEED, *arguments], env=environment, capture_output=True, text=True, check=False
    )


def _make(folder: Path, stages: Stages) -> Original:
    state = folder / "original"
    with running_photofeed(state, SMOKE, stages) as running:
        journal = Journal(state / JOURNAL_FILE, seed=SEED, scale=SMOKE, now=datetime.now(UTC))
        world = build_ranked_world(running, journal, Paintings(SEED, SMOKE.photos).missing, stages, Polling()).world
        readers = [world.people[index] for index in most_active_readers(world, READERS)]
        feeds = _feeds(running.client, readers)
        facts = facts_of(running.settings)
        quiet = _backed_up(running, folder / QUIET, stages)
        loaded: list[float] = []
        acknowledged = under_load(
            Loaded(running.settings, partial(_photofeed, state)),
            lambda: loaded.append(_backed_up(running, folder / BUSY, stages)),
        )
        return Original(facts, feeds, acknowledged, quiet, *loaded)


def _backed_up(running: RunningPhotofeed, folder: Path, stages: Stages) -> float:
    """Make a backup; returns the seconds that it took."""
    began = time.monotonic()
    with stages.stage(f"back up, {folder.name}"):
        running.command("backup", str(folder))
    return time.monotonic() - began


def _feeds(client: ApiClient, readers: Sequence[str]) -> dict[str, Feed]:
    return {reader: client.feed(reader, ranker=CHAMPION) for reader in readers}


@contextmanager
def _restored(folder: Path, name: str, stages: Stages) -> Iterator[tuple[EmbeddedStack, float]]:
    """An embedded stack with a restored backup, without API and workers, and the seconds that it took.

    Raises:
        BrokenPathError: the backup could not be restored.
    """
    state = folder / f"restored-{name}"
    stack = EmbeddedStack(state)
    try:
        with stages.stage(f"start empty servers, {name}"):
            stack.start()
        began = time.monotonic()
        with stages.stage(f"restore, {name}"):
            done = _photofeed(state, "restore", str(folder / name))
        if done.returncode:
            raise BrokenPathError(f"photofeed restore failed: {done.stderr.strip()}")
        yield stack, time.monotonic() - began
    finally:
        stack.stop()


def _compare(folder: Path, original: Original, stages: Stages) -> tuple[dict[str, Any], list[str]]:
    """Compare what is restored of the backup at rest."""
    with _restored(folder, QUIET, stages) as (stack, seconds):
        state = stack.state.path
        told = list(original.facts.differences(facts_of(stack.settings())))
        again = _photofeed(state, "restore", str(folder / QUIET))
        if again.returncode != 1 or "restore into an empty" not in again.stderr:
            told.append(f"again\ta second restore was not refused: {again.stderr.strip()}")
        with processes_of(stack, SMOKE, stages) as running:
            share = _same_feeds(running.client, original.feeds, told)
            verified = _photofeed(state, "verify")
            told += [f"verify\t{line}" for line in verified.stdout.splitlines()]
            if verified.returncode:
                told.append(f"verify\t{verified.stderr.strip().splitlines()[-1]}")
    figures = {
        "tables": len(original.facts.tables),
        "modelTables": len(original.facts.models),
        "objects": len(original.facts.images),
        "histories": len(original.facts.history),
        "featureViews": len(original.facts.features),
        "feeds": len(original.feeds),
        "samePostsOfFeeds": round(share, 3),
        "backupSeconds": round(original.backup_seconds, 1),
        "restoreSeconds": round(seconds, 1),
    }
    return figures, told


def _judge(folder: Path, original: Original, stages: Stages) -> tuple[dict[str, Any], list[str]]:
    """Compare what is restored of the backup under load."""
    with _restored(folder, BUSY, stages) as (stack, seconds):
        told = list(dangling(stack.settings()))
        with processes_of(stack, SMOKE, stages) as running, stages.stage("compare, under load"):
            target = Loaded(running.settings, partial(_photofeed, stack.state.path))
            figures, violations = judged(target, original.acknowledged)
    times = {
        "backupUnderLoadSeconds": round(original.loaded_backup_seconds, 1),
        "restoreOfItSeconds": round(seconds, 1),
    }
    return figures | times, told + violations


def _same_feeds(client: ApiClient, wanted: dict[str, Feed], told: list[str]) -> float:
    """The share of the posts of all feeds that are in the same person's feed again."""

    def ranked() -> int:
        return sum(
            feed.ranking == RANKED_BY_MODEL and bool(feed.items) for feed in _feeds(client, list(wanted)).values()
        )

    Polling().until_done(ranked, len(wanted), stalled_seconds=_STALLED_SECONDS, what="feeds ranked by the model")
    found = _feeds(client, list(wanted))
    same = posts = 0
    for reader, feed in wanted.items():
        before, after = ({item.post_id for item in each.items} for each in (feed, found[reader]))
        same, posts = same + len(before & after), posts + len(before)
    share = same / posts
    if share < LEAST_SAME:
        told.append(f"feeds\tonly {share:.0%} of the posts are in the same feeds again")
    return share


def main() -> int:
    """Make, restore, compare."""
    end_in_order()
    stages = ConsoleStages(Console(stderr=True))
    with tempfile.TemporaryDirectory(prefix="restore-") as name:
        folder = Path(name)
        original = _make(folder, stages)
        figures, told = _compare(folder, original, stages)
        under, more = _judge(folder, original, stages)
        told += [f"under load\t{one}" for one in more]
    sys.stdout.writelines(f"DIFFERS\t{one}\n" for one in told)
    sys.stdout.write(f"{orjson.dumps(figures | under | {'differences': len(told)}).decode()}\n")
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())
