from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from simulation.compare import RANKERS, Comparison, compare
from simulation.errors import BrokenPathError
from simulation.people import populate
from simulation.world import World

POPULATION = populate(5, 40, 3, ("sea", "city"))


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """Sixty posts, half of them of no interest; they are shown in the order that the ranker has in `api.orders`."""
    return make_world(POPULATION, ["nothing anybody knows", "sea"] * 30)


def test_equal_orders_earn_exactly_the_same_and_nothing_is_reported(api: Any, world: World) -> None:
    steps: list[int] = []
    with api.client() as client:
        found = compare(client, world, range(3, 20), 1, steps.append, rounds=2)
    assert {tuple(values) for values in found.engagement.values()} == {tuple(found.engagement["recency"])}
    assert found.over("champion", "recency").low == found.over("champion", "recency").high == 0
    assert not found.trained_wins
    assert api.batches == []
    assert sum(steps) == 17


def test_a_ranker_that_is_not_there_stops_the_comparison(api: Any, world: World) -> None:
    api.always_ranked_by = "popularity"
    with api.client() as client, pytest.raises(BrokenPathError, match="got one by popularity"):
        compare(client, world, [5], 1, lambda _: None)


def test_figures_and_verdicts_come_from_pairs_of_the_same_people() -> None:
    rng = np.random.default_rng(2)
    habit = rng.gamma(3.0, 2.0, 120)  # people differ far more than rankers do
    worth = {"champion": 0.6, "popularity": 0.1, "recency": 0.0, "random": -0.4}
    found = Comparison({ranker: habit + worth[ranker] + rng.normal(0, 0.5, 120) for ranker in RANKERS})
    assert found.trained_wins
    assert found.shuffled_loses
    told = found.to_json()
    mean, low, high = told["overChronological"]["champion"]  # type: ignore[index]
    assert low < mean < high < 0.9
    assert low > 0.3
    assert (told["people"], told["trainedWins"]) == (120, True)
    ranked = list(found.table().columns[0].cells)
    assert (ranked[0], ranked[-1]) == ("champion", "random")
