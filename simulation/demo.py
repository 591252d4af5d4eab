"""`make demo`: from nothing to a ranked feed, then serving until it is told to stop.

servers, set-up, API and workers (running.py) → the path to a ranked feed (path.py) → people look → one feed shown
"""

import threading
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from rich.console import Console

from simulation.journal import Journal
from simulation.live import Session, live_sessions, summary
from simulation.painting import check_folder
from simulation.path import bring_to_life
from simulation.report import feed_table
from simulation.running import RunningPhotofeed, running_photofeed
from simulation.scale import DEMO
from simulation.stages import ConsoleStages, Stages
from simulation.waiting import Patience
from simulation.world import World

SEED = 20
JOURNAL_FILE = "world.jsonl"
LIVE_READERS = 8


def run_demo(state_dir: Path, photos: Path | None, console: Console) -> None:
    """Run the demo on a state folder until Ctrl-C.

    Raises:
        SimulationError: there are no photos, or the path is broken somewhere; everything is stopped, and the next run
            goes on from there.
        KeyboardInterrupt: Ctrl-C before the demo was up; everything is stopped.
    """
    if photos is not None:
        check_folder(photos)
    stages = ConsoleStages(console)
    with running_photofeed(state_dir, DEMO, stages) as running:
        journal = Journal(state_dir / JOURNAL_FILE, seed=SEED, scale=DEMO, now=datetime.now(UTC))
        living = bring_to_life(running, journal, photos, stages, Patience())
        for failure in () if living.seeded is None else living.seeded.failures:
            console.print(f"not in the feed: {failure}", style="yellow", highlight=False, markup=False)
        console.print(summary(_look(running, living.world, stages)), highlight=False)
        show_feed(running, living.world, console)
        show_addresses(running, console)
        with suppress(KeyboardInterrupt):
            threading.Event().wait()
        console.print("stopping …")


def show_feed(running: RunningPhotofeed, world: World, console: Console) -> None:
    """Print the feed of a keen reader, who has not just looked: what is new has not been seen yet."""
    reader = keenest_readers(world, LIVE_READERS + 1)[-1]
    feed = running.client.feed(world.people[reader])
    console.print(feed_table(world.population.people[reader].display_name, feed, datetime.now(UTC)))


def show_addresses(running: RunningPhotofeed, console: Console) -> None:
    """Print where everything is."""
    settings = running.settings
    for what, url in (
        ("web app", settings.public_url),
        ("API docs", f"{settings.public_url}/docs"),
        ("MLflow", settings.mlflow_tracking_uri),
    ):
        console.print(f"{what:<9} {url}", highlight=False)
    console.print("Ctrl-C stops everything; the next run finds it all again.", style="dim")


def keenest_readers(world: World, count: int) -> list[int]:
    """The readers, creators left aside, who open the feed most often."""
    creators = len(world.population.creators)
    readers = range(creators, len(world.population.people))
    return sorted(readers, key=lambda person: -world.population.people[person].sessions_weight)[:count]


def _look(running: RunningPhotofeed, world: World, stages: Stages) -> list[Session]:
    readers = keenest_readers(world, LIVE_READERS)
    with stages.stage("people look at their feeds", len(readers)) as advance:
        return live_sessions(running.client, world, readers, np.random.default_rng(), advance)
