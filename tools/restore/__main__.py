"""`make restore-test`: back up a small world, restore it into an empty stack, and compare; lines, then JSON.

Exit code 1 if the restored stack differs in tables, models, images, history, counters or feeds, or if
`photofeed verify` finds a disagreement in it.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console

from photofeed.embedded.stack import EmbeddedStack
from photofeed.models.registry import CHAMPION
from simulation.api_client import ApiClient
from simulation.demo import JOURNAL_FILE, SEED, most_active_readers
from simulation.journal import Journal
from simulation.path import build_ranked_world
from simulation.replies import RANKED_BY_MODEL, Feed
from simulation.running import PHOTOFEED, processes_of, running_photofeed
from simulation.scale import SMOKE
from simulation.stages import ConsoleStages, Stages
from simulation.waiting import Polling
from tools.restore.facts import Facts, facts_of

READERS = 10
LEAST_SAME = 0.9  # posts of a feed: a few are drawn, and scores change with the age of posts
_STALLED_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Original:
    """What the photofeed was that was backed up."""

    facts: Facts
    feeds: dict[str, Feed]
    backup_seconds: float


def _photofeed(state: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PHOTOFEED_STATE_DIR": str(state)}
    return subprocess.run(  # noqa: S603  our own command
        [PHOTOFEED, *arguments], env=environment, capture_output=True, text=True, check=False
    )


def _make(folder: Path, stages: Stages) -> Original:
    state = folder / "original"
    with running_photofeed(state, SMOKE, stages) as running:
        journal = Journal(state / JOURNAL_FILE, seed=SEED, scale=SMOKE, now=datetime.now(UTC))
        world = build_ranked_world(running, journal, None, stages, Polling()).world
        readers = [world.people[index] for index in most_active_readers(world, READERS)]
        feeds = _feeds(running.client, readers)
        facts = facts_of(running.settings)
        began = time.monotonic()
        with stages.stage("back up"):
            running.command("backup", str(folder / "backup"))
        return Original(facts, feeds, time.monotonic() - began)


def _feeds(client: ApiClient, readers: Sequence[str]) -> dict[str, Feed]:
    return {reader: client.feed(reader, ranker=CHAMPION) for reader in readers}


def _compare(folder: Path, original: Original, stages: Stages) -> tuple[dict[str, Any], list[str]]:
    state, began = folder / "restored", time.monotonic()
    stack = EmbeddedStack(state)
    try:
        with stages.stage("start empty servers"):
            stack.start()
        with stages.stage("restore"):
            began = time.monotonic()
            done = _photofeed(state, "restore", str(folder / "backup"))
            seconds = time.monotonic() - began
        if done.returncode:
            return {}, [f"restore\t{line}" for line in done.stderr.splitlines()[-3:]]
        told = list(original.facts.differences(facts_of(stack.settings())))
        again = _photofeed(state, "restore", str(folder / "backup"))
        if again.returncode != 1 or "restore into an empty" not in again.stderr:
            told.append(f"again\ta second restore was not refused: {again.stderr.strip()}")
        with processes_of(stack, SMOKE, stages) as running:
            share = _same_feeds(running.client, original.feeds, told)
            verified = _photofeed(state, "verify")
            told += [f"verify\t{line}" for line in verified.stdout.splitlines()]
            if verified.returncode:
                told.append(f"verify\t{verified.stderr.strip().splitlines()[-1]}")
    finally:
        stack.stop()
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
    stages = ConsoleStages(Console(stderr=True))
    with tempfile.TemporaryDirectory(prefix="restore-") as name:
        folder = Path(name)
        figures, told = _compare(folder, _make(folder, stages), stages)
    sys.stdout.writelines(f"DIFFERS\t{one}\n" for one in told)
    sys.stdout.write(f"{orjson.dumps(figures | {'differences': len(told)}).decode()}\n")
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())
