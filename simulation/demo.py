"""`make demo`: from an empty folder to a ranked feed, then serving until Ctrl-C.

servers, set-up, API and workers (running.py) → first photos: a first feed → path to a ranked feed (path.py) →
live sessions → a ranked feed → life goes on (life.py). Painting (painting.py) begins before the servers do.
"""

import threading
import time
from collections.abc import Collection
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from rich.console import Console

from simulation.journal import Journal
from simulation.life import live_on
from simulation.live import Session, live_sessions, summary
from simulation.painting import Paintings, check_folder
from simulation.path import build_ranked_world
from simulation.report import feed_table
from simulation.running import RunningPhotofeed, running_photofeed
from simulation.scale import DEMO
from simulation.stages import ConsoleStages, Stages
from simulation.waiting import Polling
from simulation.world import World

SEED = 20
JOURNAL_FILE = "world.jsonl"
LIVE_READERS = 8
FIRST_READER = LIVE_READERS + 1  # reads the first feed, so that everything is new to the reader of the last one


def run_demo(state_dir: Path, photos: Path | None, console: Console) -> None:
    """Run the demo on a state folder until Ctrl-C.

    Raises:
        SimulationError: the folder has no photos, or a stage failed. Everything is stopped. The next run resumes at
            that stage.
        KeyboardInterrupt: Ctrl-C before the demo was up. Everything is stopped.
    """
    if photos is not None:
        check_folder(photos)
    stages, began, first_seconds = ConsoleStages(console), time.monotonic(), list[float]()
    paintings = Paintings(SEED, DEMO.photos, photos, DEMO.large_numbers(), DEMO.first_photos)
    with (
        paintings.ahead(_posted(state_dir / JOURNAL_FILE)) as ahead,
        running_photofeed(state_dir, DEMO, stages) as running,
    ):
        journal = Journal(state_dir / JOURNAL_FILE, seed=SEED, scale=DEMO, now=datetime.now(UTC))

        def first_feed(world: World) -> None:
            show_feed(running, world, console, FIRST_READER)
            first_seconds.append(round(time.monotonic() - began, 1))
            show_addresses(running, console)
            console.print("The other photos, a history and the model follow.", style="dim")

        ranked = build_ranked_world(running, journal, lambda _: ahead, stages, Polling(), first_feed=first_feed)
        for failure in () if ranked.seeding is None else ranked.seeding.failures:
            console.print(f"not in the feed: {failure}", style="yellow", highlight=False, markup=False)
        console.print(summary(_live_sessions(running, ranked.world, stages)), highlight=False)
        show_feed(running, ranked.world, console, LIVE_READERS)  # a reader without a session in this run
        show_addresses(running, console)
        figures = {"firstFeedSeconds": next(iter(first_seconds), None), "seconds": stages.seconds}
        console.print_json(data=figures, indent=None, highlight=False)
        with suppress(KeyboardInterrupt):
            live_on(running.client, ranked.world, np.random.default_rng(), threading.Event(), console.print)
        console.print("stopping …")


def show_feed(running: RunningPhotofeed, world: World, console: Console, rank: int) -> None:
    """Print the feed of the reader at this rank by activity."""
    reader = most_active_readers(world, rank + 1)[-1]
    feed = running.client.feed(world.people[reader])
    console.print(feed_table(world.population.people[reader].display_name, feed, datetime.now(UTC)))


def show_addresses(running: RunningPhotofeed, console: Console) -> None:
    """Print the addresses of the web app, the API docs and MLflow."""
    settings = running.settings
    for name, url in (
        ("web app", settings.public_url),
        ("API docs", f"{settings.public_url}/docs"),
        ("MLflow", settings.mlflow_tracking_uri),
    ):
        console.print(f"{name:<9} {url}", highlight=False)
    console.print("Ctrl-C stops everything. The state is kept for the next run.", style="dim")


def most_active_readers(world: World, count: int) -> list[int]:
    """Indices of the `count` readers who open the feed most often; creators are not readers."""
    creators = len(world.population.creators)
    readers = range(creators, len(world.population.people))
    return sorted(readers, key=lambda person: -world.population.people[person].sessions_weight)[:count]


def _posted(journal: Path) -> Collection[int]:
    """The numbers of the pictures that an earlier run has posted."""
    return Journal(journal, seed=SEED, scale=DEMO, now=datetime.now(UTC)).photos if journal.exists() else ()


def _live_sessions(running: RunningPhotofeed, world: World, stages: Stages) -> list[Session]:
    readers = most_active_readers(world, LIVE_READERS)
    with stages.stage("simulate feed sessions", len(readers)) as advance:
        return live_sessions(running.client, world, readers, np.random.default_rng(), advance)
