"""`photofeed simulate`: sessions of the demo's people on a stack that runs, reported to it or only compared."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from rich.console import Console

from photofeed.settings import STACK_ENV_FILE, Settings
from photofeed.tokens import SERVICE, mint_token
from simulation.api_client import ApiClient
from simulation.compare import Comparison, compare
from simulation.demo import JOURNAL_FILE, SEED
from simulation.errors import SimulationError
from simulation.journal import Journal
from simulation.live import live_sessions, summary
from simulation.scale import DEMO
from simulation.stages import ConsoleStages
from simulation.world import SEEDED, World


def run_sessions(state_dir: Path, sessions: int, seed: int | None, console: Console) -> None:
    """Let people drawn by how often they open the feed look at it, one after the other.

    Raises:
        SimulationError: there is no seeded world in the folder, or the API does not do its part.
    """
    world, rng = _living_world(state_dir), np.random.default_rng(seed)
    weights = np.array([person.sessions_weight for person in world.population.people])
    people = [int(person) for person in rng.choice(len(weights), sessions, p=weights / weights.sum())]
    stages = ConsoleStages(console)
    with (
        _client(state_dir) as client,
        stages.stage("people look at their feeds", sessions) as advance,
    ):
        looked = live_sessions(client, world, people, rng, advance)
    console.print(summary(looked), highlight=False)


def run_comparison(state_dir: Path, people: int | None, rounds: int, seed: int | None, console: Console) -> Comparison:
    """Let as many different people, or everybody, look at their feed by every ranker.

    Raises:
        SimulationError: there is no seeded world in the folder, or the API does not do its part.
    """
    world, chosen_seed = _living_world(state_dir), SEED if seed is None else seed
    everybody = len(world.population.people)
    drawn = np.random.default_rng(chosen_seed).permutation(everybody)[:people].tolist()
    with (
        _client(state_dir) as client,
        ConsoleStages(console).stage("people look by every ranker", len(drawn)) as advance,
    ):
        return compare(client, world, drawn, chosen_seed, advance, rounds=rounds)


def _living_world(state_dir: Path) -> World:
    file = state_dir / JOURNAL_FILE
    if not file.exists():
        raise SimulationError(f"nobody lives in {state_dir}: run `photofeed demo` first")
    journal = Journal(file, seed=SEED, scale=DEMO, now=datetime.now(UTC))
    if not journal.has(SEEDED):
        raise SimulationError(f"the world in {state_dir} is not whole: run `photofeed demo` once more")
    return World.of(journal)


@contextmanager
def _client(state_dir: Path) -> Iterator[ApiClient]:
    settings = Settings(_env_file=state_dir / STACK_ENV_FILE, state_dir=state_dir)
    with ApiClient(settings.public_url, mint_token(settings, 0, frozenset({SERVICE}))) as client:
        yield client
