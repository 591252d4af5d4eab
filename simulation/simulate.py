"""`photofeed simulate`: sessions of the demo's users on a running stack, either sent to it or only compared."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from rich.console import Console

from photofeed.offline_store.lake import LakeFolder, open_lake
from photofeed.offline_store.tables import ENGAGEMENT, FEED_SERVED
from photofeed.settings import STACK_ENV_FILE, Settings
from simulation.api_client import ApiClient
from simulation.compare import Comparison, compare
from simulation.demo import JOURNAL_FILE, SEED
from simulation.errors import SimulationError
from simulation.journal import Journal
from simulation.live import live_sessions, summary
from simulation.scale import DEMO
from simulation.stages import ConsoleStages
from simulation.waiting import Polling
from simulation.world import SEEDED, World

ARCHIVE_STALLED_SECONDS = 90.0


def run_sessions(state_dir: Path, sessions: int, seed: int | None, console: Console, *, wait: bool = False) -> None:
    """Simulate `sessions` live sessions in sequence. People are drawn in proportion to how often they open the feed.

    With `wait`, return when the lake has their events, and what they were served.

    Raises:
        SimulationError: the folder has no seeded world, a call of the API failed, or the archive does not go on.
    """
    world, rng = _seeded_world(state_dir), np.random.default_rng(seed)
    weights = np.array([person.sessions_weight for person in world.population.people])
    people = [int(person) for person in rng.choice(len(weights), sessions, p=weights / weights.sum())]
    stages = ConsoleStages(console)
    lake = archived_rows(_settings(state_dir)) if wait else None
    before = lake() if lake else {}
    with (
        _client(state_dir) as client,
        stages.stage("simulate feed sessions", sessions) as advance,
    ):
        done = live_sessions(client, world, people, rng, advance)
    if lake:
        more = {ENGAGEMENT: sum(one.events_accepted for one in done), FEED_SERVED: len(done)}
        wait_until_archived(lake, {table: before[table] + more[table] for table in more}, Polling())
    console.print(summary(done), highlight=False)


def archived_rows(settings: Settings) -> Callable[[], dict[str, int]]:
    """What counts the rows of the lake's raw tables: table -> rows."""
    lake = open_lake(settings)
    return lambda: {table: lake.rows(LakeFolder(settings.bucket_lake, table)) for table in (ENGAGEMENT, FEED_SERVED)}


def wait_until_archived(rows: Callable[[], dict[str, int]], goals: Mapping[str, int], polling: Polling) -> None:
    """Wait until tables of the lake have so many rows.

    Raises:
        BrokenPathError: the archive wrote nothing for ARCHIVE_STALLED_SECONDS.
    """
    polling.until_done(
        lambda: sum(min(count, goals[table]) for table, count in rows().items()),
        sum(goals.values()),
        stalled_seconds=ARCHIVE_STALLED_SECONDS,
        what="rows archived",
    )


def run_comparison(state_dir: Path, people: int | None, rounds: int, seed: int | None, console: Console) -> Comparison:
    """Compare the rankers on `people` random people, or on all people if None.

    Raises:
        SimulationError: the folder has no seeded world, or a call of the API failed.
    """
    world, chosen_seed = _seeded_world(state_dir), SEED if seed is None else seed
    everybody = len(world.population.people)
    sample = np.random.default_rng(chosen_seed).permutation(everybody)[:people].tolist()
    with (
        _client(state_dir) as client,
        ConsoleStages(console).stage("simulate sessions of every ranker", len(sample)) as advance,
    ):
        return compare(client, world, sample, chosen_seed, advance, rounds=rounds)


def _seeded_world(state_dir: Path) -> World:
    file = state_dir / JOURNAL_FILE
    if not file.exists():
        raise SimulationError(f"there is no demo in {state_dir}: run `photofeed demo` first")
    journal = Journal(file, seed=SEED, scale=DEMO, now=datetime.now(UTC))
    if not journal.has(SEEDED):
        raise SimulationError(f"the demo in {state_dir} is incomplete: run `photofeed demo` again")
    return World.of(journal)


@contextmanager
def _client(state_dir: Path) -> Iterator[ApiClient]:
    with ApiClient.for_service(_settings(state_dir)) as client:
        yield client


def _settings(state_dir: Path) -> Settings:
    return Settings(_env_file=state_dir / STACK_ENV_FILE, state_dir=state_dir)
