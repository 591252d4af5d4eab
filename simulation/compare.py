"""Compares rankers: the same people view their real feed as ordered by each ranker, and their engagement is counted.

No events are sent during a comparison, because events of one ranker's slate would change the features and the seen
posts for the next ranker. A person's random draws are the same for every ranker, so that sessions differ only by slate.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import NormalDist

import numpy as np
from rich.table import Table

from photofeed.action_weights import ENGAGEMENT_ACTIONS
from photofeed.arrays import FloatArray
from photofeed.models.registry import CHAMPION
from simulation.api_client import ApiClient
from simulation.behaviour import view_slate
from simulation.errors import BrokenPathError
from simulation.replies import RANKED_BY_MODEL
from simulation.stages import Advance
from simulation.world import World

TRAINED, CHRONOLOGICAL, SHUFFLED = CHAMPION, "recency", "random"
RANKERS = (TRAINED, "popularity", CHRONOLOGICAL, SHUFFLED)
RANKING_OF = {TRAINED: RANKED_BY_MODEL}  # the reply's `ranking`, where it differs from the ranker's name
NORMAL_95 = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over people with its 95 % confidence interval."""

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, values: FloatArray) -> "Estimate":
        """The mean of at least two people's values, with a normal interval."""
        mean, error = float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))
        return cls(mean, mean - NORMAL_95 * error, mean + NORMAL_95 * error)

    def __str__(self) -> str:
        return f"{self.mean:.2f} [{self.low:.2f}, {self.high:.2f}]"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Likes, comments, saves and shares per session: ranker -> (people,), the same people in the same order."""

    engagement: Mapping[str, FloatArray]

    def of(self, ranker: str) -> Estimate:
        """Engagement per session."""
        return Estimate.of(self.engagement[ranker])

    def over(self, ranker: str, other: str) -> Estimate:
        """The paired difference: engagement per session under `ranker` minus that under `other`."""
        return Estimate.of(self.engagement[ranker] - self.engagement[other])

    def to_json(self) -> dict[str, object]:
        """The figures for the line of JSON. Differences are against chronological order."""
        differences = {
            ranker: self.over(ranker, CHRONOLOGICAL) for ranker in self.engagement if ranker != CHRONOLOGICAL
        }
        return {
            "people": len(self.engagement[CHRONOLOGICAL]),
            "engagementPerSession": {ranker: _rounded(self.of(ranker)) for ranker in self.engagement},
            "overChronological": {ranker: _rounded(difference) for ranker, difference in differences.items()},
            "trainedWins": self.trained_wins,
            "shuffledLoses": self.shuffled_loses,
        }

    @property
    def trained_wins(self) -> bool:
        """Whether the trained ranker earns significantly more than chronological order."""
        return self.over(TRAINED, CHRONOLOGICAL).low > 0

    @property
    def shuffled_loses(self) -> bool:
        """Whether random order earns significantly less than the trained ranker."""
        return self.over(SHUFFLED, TRAINED).high < 0

    @property
    def verdict(self) -> str:
        """Both results in plain sentences."""
        trained = "earns significantly" if self.trained_wins else "does not earn significantly"
        shuffled = "earns significantly" if self.shuffled_loses else "does not earn significantly"
        return (
            f"The trained ranker {trained} more engagement than chronological order. "
            f"Random order {shuffled} less than the trained ranker."
        )

    def table(self) -> Table:
        """One row per ranker, best first."""
        people = len(self.engagement[CHRONOLOGICAL])
        table = Table(
            "ranker",
            "engagement per session",
            "difference to chronological",
            title=f"{people} users, each with the feed of every ranker",
        )
        for ranker in sorted(self.engagement, key=lambda ranker: -self.of(ranker).mean):
            difference = "" if ranker == CHRONOLOGICAL else str(self.over(ranker, CHRONOLOGICAL))
            table.add_row(ranker, str(self.of(ranker)), difference)
        return table


def compare(
    client: ApiClient,
    world: World,
    people: Sequence[int],
    seed: int,
    advance: Advance,
    *,
    rounds: int = 1,
    limit: int = 30,
) -> Comparison:
    """Simulate `rounds` sessions per person and ranker, with the rankers in random order. `people` are indices.

    Raises:
        BrokenPathError: the API ranked a feed by another ranker than the one requested.
    """
    order = np.random.default_rng(seed)
    engagement = {ranker: np.zeros(len(people)) for ranker in RANKERS}
    for row, person in enumerate(people):
        for number in range(rounds):
            for ranker in order.permutation(RANKERS).tolist():
                mood = np.random.default_rng([seed, person, number])
                engagement[ranker][row] += _engagement(client, world, person, ranker, mood, limit) / rounds
        advance(1)
    return Comparison(engagement)


def _engagement(
    client: ApiClient, world: World, person: int, ranker: str, mood: np.random.Generator, limit: int
) -> int:
    feed = client.feed(world.people[person], limit, ranker=ranker)
    if feed.ranking != RANKING_OF.get(ranker, ranker):
        raise BrokenPathError(f"requested a feed ranked by {ranker}, got one ranked by {feed.ranking}")
    events = view_slate(world.population.people[person], world.perception.of_feed(feed), datetime.now(UTC), mood)
    return sum(event["type"] in ENGAGEMENT_ACTIONS for event in events)


def _rounded(estimate: Estimate) -> list[float]:
    return [round(value, 4) for value in (estimate.mean, estimate.low, estimate.high)]
