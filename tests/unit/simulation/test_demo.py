from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from simulation.demo import LIVE_READERS, most_active_readers, show_feed
from simulation.people import populate
from simulation.running import RunningPhotofeed
from simulation.world import World

POPULATION = populate(3, 20, 3, ("sea", "city"))


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world(POPULATION, ["sea"] * 12)


def test_the_most_active_readers_are_no_creators(world: World) -> None:
    readers = most_active_readers(world, 20)

    weights = [POPULATION.people[reader].sessions_weight for reader in readers]
    assert weights == sorted(weights, reverse=True)
    assert sorted(readers) == list(range(3, 23))
    assert most_active_readers(world, 4) == readers[:4]


def test_the_demo_prints_the_feed_of_a_reader_without_a_live_session(api: Any, world: World) -> None:
    out, reader = StringIO(), most_active_readers(world, 20)[LIVE_READERS]
    with api.client() as client:
        running: Any = RunningPhotofeed(settings=None, environment={}, logs=None, client=client)  # type: ignore[arg-type]
        show_feed(running, world, Console(file=out, width=200), LIVE_READERS)

    assert f"The feed of {POPULATION.people[reader].display_name}, ranked by model 3" in out.getvalue()
