"""The path of a demo from empty servers to a feed that the model ranks; every stage is skipped where it is done.

a world → events counted and archived → a ranker trained and promoted → the feed ranked by it
"""

from dataclasses import dataclass
from pathlib import Path

from photofeed.model_contract import CHAMPION
from simulation.api_client import ApiClient
from simulation.journal import Journal
from simulation.painting import Paintings
from simulation.running import RunningPhotofeed
from simulation.stages import Advance, Stages
from simulation.waiting import Patience
from simulation.world import SEEDED, SeededWorld, World, seed_world

TRAINED = "trained"
BY_MODEL = "model"
COUNTING_STALLED_SECONDS = MODEL_STALLED_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class LivingWorld:
    """A world with a ranked feed. `seeded` is what seeding made, None if an earlier run did."""

    world: World
    seeded: SeededWorld | None


def bring_to_life(
    running: RunningPhotofeed, journal: Journal, photos: Path | None, stages: Stages, patience: Patience
) -> LivingWorld:
    """Go along the path from where the journal says it was left.

    Args:
        running: the servers, the API and the workers.
        journal: of the world that lives on these servers.
        photos: a folder of the user's own photos, None to paint them.
        stages: shows how far it is.
        patience: how to wait for the workers.

    Raises:
        SimulationError: a stage did not do its work; a next run goes on from there.
    """
    seeded = None
    if not journal.has(SEEDED):
        paintings = Paintings(journal.seed, journal.scale.photos, photos)
        seeded = seed_world(running.client, journal, paintings.missing, stages, patience)
    if not journal.has(TRAINED):
        with stages.stage("events counted and archived", journal.events_accepted) as advance:
            wait_until_counted(running.client, journal.events_accepted, advance, patience)
        with stages.stage("ranker trained and promoted"):
            running.command("train", "--promote")
        journal.mark(TRAINED)
    world = World.of(journal)
    with stages.stage("feed ranked by the model"):
        _wait_until_ranked(running.client, world.people[len(world.population.creators)], patience)
    return LivingWorld(world, seeded)


def wait_until_counted(client: ApiClient, events: int, advance: Advance, patience: Patience) -> None:
    """Wait until the workers have counted this many events in the features, and archived as many.

    Raises:
        BrokenPathError: they stopped short of it.
    """
    reached = 0

    def counted() -> int:
        nonlocal reached
        progress = client.workers_progress()
        now = min(progress.events_in_features, progress.archived_events)
        advance(max(now - reached, 0))
        reached = now
        return now

    patience.until_done(counted, events, stalled_seconds=COUNTING_STALLED_SECONDS, what="events counted and archived")


def _wait_until_ranked(client: ApiClient, reader: str, patience: Patience) -> None:
    patience.until_done(
        # an experiment may have this reader in an arm without the model
        lambda: int(client.feed(reader, ranker=CHAMPION).ranking == BY_MODEL),
        1,
        stalled_seconds=MODEL_STALLED_SECONDS,
        what="feeds ranked by the model",
    )
