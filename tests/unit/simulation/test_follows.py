from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from simulation.follows import draw_follows, follow_events
from simulation.people import Population, populate
from simulation.scale import DEMO, SMOKE, Scale

NOW = datetime(2025, 11, 3, tzinfo=UTC)
TOPICS = tuple(f"topic{number}" for number in range(12))


def _population(scale: Scale, seed: int = 20) -> Population:
    return populate(seed, scale.readers, scale.creators, TOPICS)


@pytest.mark.parametrize("scale", [DEMO, SMOKE], ids=["demo", "smoke"])
def test_a_few_creators_become_celebrities_and_most_do_not(scale: Scale) -> None:
    followers = Counter(followee for _, followee in draw_follows(_population(scale), scale.followed_share, 20))
    celebrities = [creator for creator, count in followers.items() if count >= scale.celebrity_followers]

    assert 1 <= len(celebrities) <= scale.creators / 3


def test_everybody_follows_somebody_other_than_themselves() -> None:
    population = _population(SMOKE)
    follows = draw_follows(population, SMOKE.followed_share, 20)

    assert {follower for follower, _ in follows} == set(range(len(population.people)))
    assert all(follower != followee for follower, followee in follows)
    assert len(set(follows)) == len(follows)


def test_people_follow_creators_they_like() -> None:
    population = _population(DEMO)
    follows = [(f, c) for f, c in draw_follows(population, DEMO.followed_share, 20) if c < len(population.creators)]
    taste = np.stack([person.creator_taste for person in population.people])

    assert np.mean([taste[follower, creator] for follower, creator in follows]) > taste.mean() + 0.1


def test_some_creators_follow_back() -> None:
    follows = set(draw_follows(_population(SMOKE), SMOKE.followed_share, 20))

    assert any((followee, follower) in follows for follower, followee in follows)


def test_follows_are_in_order_of_time_before_the_history() -> None:
    population = _population(SMOKE)
    follows = draw_follows(population, SMOKE.followed_share, 20)
    events = list(follow_events(follows, {index: f"user{index}" for index in range(len(population.people))}, NOW, 20))

    times = [datetime.fromisoformat(str(event["occurredAt"])) for event in events]
    assert times == sorted(times)
    assert NOW - timedelta(days=30) <= times[0]
    assert times[-1] <= NOW
    assert {(event["actorId"], event["personId"]) for event in events} == {(f"user{a}", f"user{b}") for a, b in follows}
