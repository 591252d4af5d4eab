"""`photofeed simulate`: sessions of the demo's people on a stack that runs."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from rich.console import Console

from photofeed.settings import STACK_ENV_FILE, Settings
from photofeed.tokens import SERVICE, mint_token
from simulation.api_client import ApiClient
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
    file = state_dir / JOURNAL_FILE
    if not file.exists():
        raise SimulationError(f"nobody lives in {state_dir}: run `photofeed demo` first")
    journal = Journal(file, seed=SEED, scale=DEMO, now=datetime.now(UTC))
    if not journal.has(SEEDED):
        raise SimulationError(f"the world in {state_dir} is not whole: run `photofeed demo` once more")
    world = World.of(journal)
    rng = np.random.default_rng(seed)
    weights = np.array([person.sessions_weight for person in world.population.people])
    people = [int(person) for person in rng.choice(len(weights), sessions, p=weights / weights.sum())]
    settings = Settings(_env_file=state_dir / STACK_ENV_FILE, state_dir=state_dir)
    token = mint_token(settings, 0, frozenset({SERVICE}))
    stages = ConsoleStages(console)
    with (
        ApiClient(settings.public_url, token) as client,
        stages.stage("people look at their feeds", sessions) as advance,
    ):
        looked = live_sessions(client, world, people, rng, advance)
    console.print(summary(looked), highlight=False)
