"""The path of a demo from empty servers to a feed that is ranked by the model. Stages already done are skipped.

seed a world → count and archive its events → train and promote a ranker → the feed is ranked by it
"""

from dataclasses import dataclass
from typing import Protocol

from photofeed.models.registry import CHAMPION
from simulation.api_client import ApiClient
from simulation.journal import Journal
from simulation.replies import RANKED_BY_MODEL
from simulation.running import RunningPhotofeed
from simulation.stages import Advance, Stages
from simulation.waiting import Polling
from simulation.world import SEEDED, FirstFeed, Pictures, SeedingResult, World, seed_world

TRAINED = "trained"
COUNTING_STALLED_SECONDS = MODEL_STALLED_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class RankedWorld:
    """A world whose feed is ranked by the model. `seeding` is None if an earlier run seeded the world."""

    world: World
    seeding: SeedingResult | None


def build_ranked_world(
    running: RunningPhotofeed,
    journal: Journal,
    pictures: Pictures,
    stages: Stages,
    polling: Polling,
    *,
    first_feed: FirstFeed | None = None,
) -> RankedWorld:
    """Run the stages that the journal does not list as done.

    Args:
        running: the servers, the API and the workers.
        journal: journal of the world on these servers.
        pictures: yields the world's pictures, without those already posted.
        stages: shows progress.
        polling: how to wait for the workers.
        first_feed: called when the first photos can be seen; the model comes later.

    Raises:
        SimulationError: a stage did not complete; the next run resumes there.
    """
    seeding = None
    if not journal.has(SEEDED):
        seeding = seed_world(running.client, journal, pictures, stages, polling, first_feed=first_feed)
    if not journal.has(TRAINED):
        with stages.stage("count and archive events", journal.events_accepted) as advance:
            wait_until_counted(running, journal.events_accepted, advance, polling)
        with stages.stage("train and promote the ranker", usual_seconds=40):
            running.command("train", "--promote")
        journal.mark(TRAINED)
    world = World.of(journal)
    with stages.stage("wait for the model to rank", usual_seconds=5):
        _wait_until_ranked(running.client, world.people[len(world.population.creators)], polling)
    return RankedWorld(world, seeding)


class EventCounts(Protocol):
    """Progress of the features worker and the archive worker."""

    def counted_events(self) -> int:
        """The number of events counted into features."""

    def archived_events(self) -> int:
        """The number of events written to the lake."""


def wait_until_counted(workers: EventCounts, events: int, advance: Advance, polling: Polling) -> None:
    """Wait until the workers have counted `events` events into features and archived as many.

    Raises:
        BrokenPathError: they made no progress for COUNTING_STALLED_SECONDS.
    """
    reached = 0

    def counted() -> int:
        nonlocal reached
        now = min(workers.counted_events(), workers.archived_events())
        advance(max(now - reached, 0))
        reached = now
        return now

    polling.until_done(counted, events, stalled_seconds=COUNTING_STALLED_SECONDS, what="events counted and archived")


def _wait_until_ranked(client: ApiClient, reader: str, polling: Polling) -> None:
    polling.until_done(
        # named, because an experiment may assign this reader to an arm without the model
        lambda: int(client.feed(reader, ranker=CHAMPION).ranking == RANKED_BY_MODEL),
        1,
        stalled_seconds=MODEL_STALLED_SECONDS,
        what="feeds ranked by the model",
    )
