"""What goes on in the demo after it is up."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from simulation.life import TURNS_PER_POST, live_on
from simulation.people import populate
from simulation.world import World

POPULATION = populate(3, 20, 3, ("sea", "city"))


class StopAfter:
    """Is over after some waits, each of which takes no time."""

    def __init__(self, turns: int) -> None:
        self._left = turns

    def wait(self, timeout: float) -> bool:
        assert timeout > 0
        self._left -= 1
        return self._left < 0


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world(POPULATION, ["sea"] * 12)


def test_people_open_their_feeds_and_creators_post(api: Any, world: World) -> None:
    before, problems = set(api.photos), list[str]()
    with api.client() as client:
        live_on(client, world, np.random.default_rng(3), StopAfter(2 * TURNS_PER_POST), problems.append)
    new = [api.photos[photo] for photo in api.photos if photo not in before]
    assert [photo["status"] for photo in new] == ["processing"] * 2
    assert {photo["ownerId"] for photo in new} <= {world.people[creator] for creator in range(3)}
    assert all(photo["caption"] for photo in new)
    assert len({event["actorId"] for event in api.events}) > 1
    assert problems == []


def test_life_goes_on_after_a_failure_which_is_reported(api: Any, world: World) -> None:
    api.photo_limit = 0
    problems: list[str] = []
    with api.client() as client:
        live_on(client, world, np.random.default_rng(3), StopAfter(TURNS_PER_POST + 1), problems.append)
    assert len(problems) == 1
    assert "the disk is full" in problems[0]
    assert len(api.batches) >= 2
