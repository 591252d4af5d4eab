"""The demo stays alive: people of its world go on opening their feeds, reacting, and posting."""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from typing import Protocol

from numpy.random import Generator

from simulation.api_client import ApiClient
from simulation.errors import SimulationError
from simulation.live import live_session
from simulation.pictures.catalogue import painted
from simulation.world import World

PAUSE_SECONDS = 20.0  # between two things that happen: a laptop that runs the demo stays quiet
TURNS_PER_POST = 4
_SEEDS = 2**31


class Stop(Protocol):
    """Says when it is over, as `threading.Event` does."""

    def wait(self, timeout: float) -> bool:
        """Wait; returns whether it is over."""


def live_on(client: ApiClient, world: World, rng: Generator, stop: Stop, report: Callable[[str], None]) -> None:
    """One person after the other opens the feed, and every fourth time a creator posts, until `stop`.

    What fails is reported, and life goes on: the API may be restarted beside the demo.
    """
    for turn in count(1):
        if stop.wait(PAUSE_SECONDS):
            return
        try:
            if turn % TURNS_PER_POST:
                live_session(client, world, int(rng.integers(len(world.people))), rng)
            else:
                post(client, world, rng)
        except SimulationError as error:
            report(str(error))


def post(client: ApiClient, world: World, rng: Generator) -> str:
    """A creator posts a new picture; returns the id of the photo."""
    picture = painted(int(rng.integers(_SEEDS)), 0)
    owner_id = world.people[int(rng.integers(len(world.population.creators)))]
    upload = client.initiate(owner_id, datetime.now(UTC), picture.media_type, len(picture.data))
    client.put_bytes(upload, picture.data)
    client.complete(owner_id, upload.photo_id, caption=picture.captions[0], tags=picture.tags, content_type="photo")
    return upload.photo_id
