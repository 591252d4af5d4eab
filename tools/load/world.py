"""A stack of its own with people, photos, a history and a model that ranks."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from photofeed.embedded.state import StateFolder
from simulation.demo import JOURNAL_FILE, SEED
from simulation.journal import Journal
from simulation.painting import Paintings
from simulation.path import build_ranked_world
from simulation.running import RunningPhotofeed, running_photofeed
from simulation.scale import SMOKE
from simulation.stages import ConsoleStages
from simulation.waiting import Polling

# A hundred people ask as a hundred thousand would, from one address.
_SETTINGS = {"PHOTOFEED_RATE_LIMITS": "false", "PHOTOFEED_UPLOADS_PER_DAY": "1000000"}


@dataclass(frozen=True, slots=True)
class LoadedWorld:
    """A running photofeed, the ids of its people, and the folder of the records of its processes."""

    running: RunningPhotofeed
    people: tuple[str, ...]
    records: Path


@contextmanager
def loaded_world() -> Iterator[LoadedWorld]:
    """Start and fill a stack; everything stops when the block ends.

    Raises:
        SimulationError: it did not start, or could not be filled.
    """
    os.environ.update(_SETTINGS)
    stages = ConsoleStages(Console(stderr=True))
    with tempfile.TemporaryDirectory(prefix="load-") as name:
        folder = Path(name) / "state"
        with running_photofeed(folder, SMOKE, stages) as running:
            journal = Journal(folder / JOURNAL_FILE, seed=SEED, scale=SMOKE, now=datetime.now(UTC))
            paintings = Paintings(SEED, SMOKE.photos).missing
            world = build_ranked_world(running, journal, paintings, stages, Polling()).world
            yield LoadedWorld(running, tuple(world.people.values()), StateFolder(folder).run)
