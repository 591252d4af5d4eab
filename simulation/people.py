"""The simulated people: readers with hidden tastes, and creators with talent."""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from photofeed.arrays import FloatArray
from simulation.names import draw_names

APPEAL_SPREAD = 0.5  # standard deviation of the appeal of one creator's posts around the creator's talent


@dataclass(frozen=True, slots=True)
class Person:
    """One person as a reader. Tastes add to the utility of a post, in logits; 0 means indifferent.

    `topic_taste` is (topics,), `creator_taste` (creators,). `patience` is the probability of scrolling on after each
    post. `sociability` shifts the logits of comment and share, `saving` that of save.
    """

    handle: str
    display_name: str
    topic_taste: FloatArray
    creator_taste: FloatArray
    reel_taste: float
    brightness_taste: float
    width_taste: float
    sessions_weight: float
    favourite_hour: float
    patience: float
    sociability: float
    saving: float


@dataclass(frozen=True, slots=True)
class Creator:
    """One person as a creator. `topic_weights` (topics,) sums to 1. `cadence` is the relative rate of posting."""

    talent: float
    fame: float
    topic_weights: FloatArray
    cadence: float


@dataclass(frozen=True, slots=True)
class Population:
    """All people by index. The first `len(creators)` of them are the creators."""

    topics: tuple[str, ...]
    people: tuple[Person, ...]
    creators: tuple[Creator, ...]

    def topic_index(self, topic: str) -> int | None:
        """The index of a topic in the taste arrays, or None for a topic that no one has a taste for."""
        return self.topics.index(topic) if topic in self.topics else None


def populate(seed: int, readers: int, creators: int, topics: tuple[str, ...]) -> Population:
    """Draw `creators + readers` people; the same arguments give the same people."""
    rng = np.random.default_rng([seed, 1])
    drawn_creators = tuple(_creator(len(topics), rng) for _ in range(creators))
    topic_weights = np.stack([creator.topic_weights for creator in drawn_creators])
    names = draw_names(creators + readers, creators, rng)
    people = tuple(_person(handle, name, topic_weights, rng) for handle, name in names)
    return Population(topics, people, drawn_creators)


def appeal(creator: Creator, handle: str, caption: str) -> float:
    """A post's appeal to everybody: the creator's talent plus noise that is a function of handle and caption."""
    digest = hashlib.blake2b(f"{handle}\n{caption}".encode(), digest_size=8).digest()
    return creator.talent + APPEAL_SPREAD * float(np.random.default_rng(int.from_bytes(digest)).standard_normal())


def _creator(topics: int, rng: Generator) -> Creator:
    talent = float(rng.normal(0, 0.7))
    weights = np.full(topics, 0.1 / topics)
    subjects = rng.choice(topics, size=min(topics, int(rng.integers(2, 5))), replace=False)
    weights[subjects] += 0.9 * rng.dirichlet(np.full(len(subjects), 3.0))
    return Creator(
        talent=talent,
        fame=float((1 + rng.pareto(1.3)) * np.exp(0.5 * talent)),  # heavy-tailed, and talent helps
        topic_weights=weights,
        cadence=float(rng.lognormal(0, 0.35)),
    )


def _person(handle: str, display_name: str, creators_topics: FloatArray, rng: Generator) -> Person:
    creators, topics = len(creators_topics), len(creators_topics[0])
    topic_taste: FloatArray = rng.normal(-0.3, 0.3, topics)
    order = rng.permutation(topics)
    loved, disliked = order[: rng.integers(2, 5)], order[-2:]
    topic_taste[loved] += rng.uniform(0.9, 1.9, len(loved))
    topic_taste[disliked] -= rng.uniform(0.4, 1.2, len(disliked))

    creator_taste: FloatArray = rng.normal(0, 0.15, creators)
    likely = np.exp(creators_topics @ topic_taste)  # favourites tend to post about the person's loved topics
    favourites = rng.choice(creators, min(creators, int(rng.integers(2, 6))), replace=False, p=likely / likely.sum())
    creator_taste[favourites] += rng.uniform(0.6, 1.6, len(favourites))
    return Person(
        handle=handle,
        display_name=display_name,
        topic_taste=topic_taste,
        creator_taste=creator_taste,
        reel_taste=float(rng.normal(0, 0.7)),
        brightness_taste=float(rng.normal(0, 0.4)),
        width_taste=float(rng.normal(0, 0.25)),
        sessions_weight=float(rng.lognormal(0, 0.6)),
        favourite_hour=float(rng.choice([7.5, 12.5, 18.0, 20.5, 22.0]) + rng.normal(0, 0.7)) % 24,
        patience=float(rng.uniform(0.88, 0.97)),
        sociability=float(rng.normal(0, 0.6)),
        saving=float(rng.normal(0, 0.6)),
    )
