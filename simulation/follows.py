"""The follow graph at the start of a world's history."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import numpy as np
from numpy.random import Generator

from photofeed.events import Action
from simulation.behaviour import ClientEvent, event_id
from simulation.people import Person, Population

TASTE_WEIGHT = 1.2
FEWEST_OF_MEAN = 0.85
FOLLOW_BACK_SHARE = 0.12
FOLLOWING_DAYS = 30.0


def draw_follows(population: Population, followed_share: float, seed: int) -> list[tuple[int, int]]:
    """Distinct (follower, followee) pairs of person indices.

    Each person follows about `followed_share` of the creators, drawn by fame (heavy-tailed) and taste. Creators follow
    some of their followers back.
    """
    rng = np.random.default_rng([seed, 4])
    pairs: set[tuple[int, int]] = set()
    for index, person in enumerate(population.people):
        pairs.update(
            (index, followee)
            for followee in _draw_followees(person, index, population, followed_share * len(population.creators), rng)
        )
    creators = len(population.creators)
    fans = sorted((fan, creator) for fan, creator in pairs if fan >= creators)
    back = rng.random(len(fans)) < FOLLOW_BACK_SHARE
    pairs.update((creator, fan) for (fan, creator), follows in zip(fans, back, strict=True) if follows)
    return sorted(pairs)


def _draw_followees(person: Person, index: int, population: Population, mean: float, rng: Generator) -> list[int]:
    creators = population.creators
    alignment = person.creator_taste + np.stack([creator.topic_weights for creator in creators]) @ person.topic_taste
    weights = np.array([creator.fame for creator in creators]) * np.exp(TASTE_WEIGHT * alignment)
    if index < len(creators):
        weights[index] = 0.0
    count = max(round(mean * float(rng.lognormal(0, 0.5))), round(mean * FEWEST_OF_MEAN))
    count = min(count, len(creators) - 1)
    return [int(i) for i in rng.choice(len(creators), count, replace=False, p=weights / weights.sum())]


def follow_events(
    follows: list[tuple[int, int]], people: dict[int, str], before: datetime, seed: int
) -> Iterator[ClientEvent]:
    """One follow event per pair, in order of time, spread over the FOLLOWING_DAYS that end at `before`."""
    rng = np.random.default_rng([seed, 5])
    moments = sorted(float(days) for days in rng.uniform(0, FOLLOWING_DAYS, len(follows)))[::-1]
    order = rng.permutation(len(follows))
    for days, pair in zip(moments, order, strict=True):
        follower, followee = follows[pair]
        moment = before - timedelta(days=days)
        yield {
            "id": event_id(moment, rng),
            "type": Action.FOLLOW.value,
            "occurredAt": moment.isoformat(timespec="milliseconds"),
            "actorId": people[follower],
            "personId": people[followee],
        }
