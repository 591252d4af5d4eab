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
    """Sixty posts, half of them of no interest. Each ranker sorts them by its key in `api.orders`."""
    return make_world(POPULATION, ["nothing anybody knows", "sea"] * 30)


def test_equal_orders_earn_the_same_engagement_and_send_no_events(api: Any, world: World) -> None:
    steps: list[int] = []
    with api.client() as client:
        found = compare(client, world, range(3, 20), 1, steps.append, rounds=2)
    assert {tuple(values) for values in found.engagement.values()} == {tuple(found.engagement["recency"])}
    assert found.over("champion", "recency").low == found.over("champion", "recency").high == 0
    assert not found.trained_wins
    assert api.batches == []
    assert sum(steps) == 17


def test_a_comparison_fails_if_the_api_uses_another_ranker(api: Any, world: World) -> None:
    api.always_ranked_by = "popularity"
    with api.client() as client, pytest.raises(BrokenPathError, match="got one ranked by popularity"):
        compare(client, world, [5], 1, lambda _: None)


def test_differences_are_paired_by_person() -> None:
    rng = np.random.default_rng(2)
    habit = rng.gamma(3.0, 2.0, 120)  # people differ far more than rankers do
    worth = {"champion": 0.6, "popularity": 0.1, "recency": 0.0, "random": -0.4}
    found = Comparison({ranker: habit + worth[ranker] + rng.normal(0, 0.5, 120) for ranker in RANKERS})
    assert found.trained_wins
    assert found.shuffled_loses
    figures = found.to_json()
    mean, low, high = figures["overChronological"]["champion"]  # type: ignore[index]
    assert low < mean < high < 0.9
    assert low > 0.3
    assert (figures["people"], figures["trainedWins"]) == (120, True)
    ranked = list(found.table().columns[0].cells)
    assert (ranked[0], ranked[-1]) == ("champion", "random")


def _comparison(champion: list[float], recency: list[float], shuffled: list[float]) -> Comparison:
    orders = {"champion": champion, "popularity": recency, "recency": recency, "random": shuffled}
    return Comparison({ranker: np.array(values) for ranker, values in orders.items()})


def test_figures_are_means_over_people_with_95_percent_intervals() -> None:
    comparison = _comparison([4.0, 8.0], [3.0, 5.0], [1.0, 1.0])

    figures = comparison.to_json()
    # the differences are 1 and 3: mean 2, standard error 1
    assert figures["overChronological"]["champion"] == [2.0, 0.04, 3.96]  # type: ignore[index]
    assert figures["engagementPerSession"]["champion"] == [6.0, 2.0801, 9.9199]  # type: ignore[index]
    assert figures["engagementPerSession"]["random"] == [1.0, 1.0, 1.0]  # type: ignore[index]
    assert str(comparison.over("champion", "recency")) == "2.00 [0.04, 3.96]"


@pytest.mark.parametrize(
    ("champion", "shuffled", "verdict"),
    [
        (
            [4.0, 8.0],
            [1.0, 2.0],
            (
                "The trained ranker earns significantly more engagement than chronological order. "
                "Random order earns significantly less than the trained ranker."
            ),
        ),
        (
            [4.0, 5.0],  # more on average, which may be chance
            [1.0, 6.0],  # less on average, which may be chance
            (
                "The trained ranker does not earn significantly more engagement than chronological order. "
                "Random order does not earn significantly less than the trained ranker."
            ),
        ),
    ],
)
def test_a_verdict_needs_a_significant_difference(champion: list[float], shuffled: list[float], verdict: str) -> None:
    assert _comparison(champion, [3.0, 5.0], shuffled).verdict == verdict


def test_engagement_is_likes_comments_saves_and_shares_per_session(api: Any, world: World) -> None:
    people = range(3, 20)
    with api.client() as client:
        once, again = (compare(client, world, people, seed, lambda _: None).of("recency").mean for seed in (1, 2))
        many = compare(client, world, people, 1, lambda _: None, rounds=8)

    assert 0 < once != again
    assert once / 2 < many.of("recency").mean < 2 * once
    assert all(value % 0.125 == 0 for value in many.engagement["recency"])  # eight sessions each
    assert any(value % 1 for value in many.engagement["recency"])  # with different moods


def test_a_ranker_that_knows_the_person_earns_more(api: Any, world: World) -> None:
    api.orders = {
        "champion": lambda post: post["tags"][0] != "sea",
        "random": lambda post: post["tags"][0] == "sea",
    }
    lovers = [index for index, person in enumerate(POPULATION.people) if person.topic_taste[0] > 0.5]
    with api.client() as client:
        found = compare(client, world, lovers, 1, lambda _: None, rounds=6, limit=60)

    assert found.over("champion", "random").low > 0
