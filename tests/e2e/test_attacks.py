"""The attacks of `make attack` that take no time, and the cells of the policy, on a stack of their own."""

from collections.abc import Iterator

import pytest

import tools.attack.callers
import tools.attack.content  # noqa: F401  both add their attacks
from tools.attack import ATTACKS, Attack
from tools.attack.cells import cells
from tools.attack.world import World, running_world


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running_world(tmp_path_factory.mktemp("attacked")) as world:
        yield world


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_the_attack_is_held_off(world: World, attack: Attack) -> None:
    attack.run(world)


def test_every_cell_of_the_policy_holds(world: World) -> None:
    assert [wrong for wrong in cells(world) if wrong] == []
