"""Rankers compared: the same people look at their real feed once by each ranker, and like what they like.

Nobody's reactions are reported while rankers are compared: what one arm shows must not change the features of the next,
nor what counts as seen. Moods are drawn alike for every arm, so that a person's sessions differ by their slates alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from photofeed.model_contract import CHAMPION
from simulation.api_client import ApiClient
from simulation.behaviour import Slate, view_slate
from simulation.errors import BrokenPathError
from simulation.live import ENGAGED
from simulation.stages import Advance
from simulation.world import World

TRAINED, CHRONOLOGICAL, SHUFFLED = CHAMPION, "recency", "random"
RANKERS = (TRAINED, "popularity", CHRONOLOGICAL, SHUFFLED)
RANKED_AS = {TRAINED: "model"}  # what a reply calls a ranker, where that is not its name
NORMAL_95 = 1.959964


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over people with its 95 % interval."""

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> "Estimate":
        """The mean of at least two people's values, and its normal interval."""
        mean, error = float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))
        return cls(mean, mean - NORMAL_95 * error, mean + NORMAL_95 * error)

    def __str__(self) -> str:
        return f"{self.mean:.2f} [{self.low:.2f}, {self.high:.2f}]"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Likes, comments, saves and shares per session by ranker: ranker -> (people,), the same people in each."""

    engagement: Mapping[str, NDArray[np.float64]]

    def of(self, ranker: str) -> Estimate:
        """Engagement per session."""
        return Estimate.of(self.engagement[ranker])

    def over(self, ranker: str, other: str) -> Estimate:
        """How much more engagement `ranker` earns of the same people than `other`."""
        return Estimate.of(self.engagement[ranker] - self.engagement[other])

    def to_json(self) -> dict[str, object]:
        """The figures as one line of JSON holds them; differences are against the chronological order."""
        differences = {
            ranker: self.over(ranker, CHRONOLOGICAL) for ranker in self.engagement if ranker != CHRONOLOGICAL
        }
        return {
            "people": len(self.engagement[CHRONOLOGICAL]),
            "engagementPerSession": {ranker: _plain(self.of(ranker)) for ranker in self.engagement},
            "overChronological": {ranker: _plain(difference) for ranker, difference in differences.items()},
            "trainedWins": self.trained_wins,
            "shuffledLoses": self.shuffled_loses,
        }

    @property
    def trained_wins(self) -> bool:
        """Whether the trained ranker is clearly above the chronological order."""
        return self.over(TRAINED, CHRONOLOGICAL).low > 0

    @property
    def shuffled_loses(self) -> bool:
        """Whether a random order is clearly below the trained ranker."""
        return self.over(SHUFFLED, TRAINED).high < 0

    @property
    def verdict(self) -> str:
        """Both in a sentence."""
        trained = "earns clearly more than" if self.trained_wins else "does not clearly earn more than"
        shuffled = "clearly less" if self.shuffled_loses else "not clearly less"
        return f"the trained ranker {trained} the chronological order; a shuffled one earns {shuffled} than the trained"

    def table(self) -> Table:
        """A row for each ranker, best first."""
        people = len(self.engagement[CHRONOLOGICAL])
        table = Table(
            "ranker",
            "engagement per session",
            "more than chronological",
            title=f"{people} people, each by every ranker",
        )
        for ranker in sorted(self.engagement, key=lambda ranker: -self.of(ranker).mean):
            more = "" if ranker == CHRONOLOGICAL else str(self.over(ranker, CHRONOLOGICAL))
            table.add_row(ranker, str(self.of(ranker)), more)
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
    """Let each of `people`, by index, look at their feed by each ranker, `rounds` times, in a random order of rankers.

    Raises:
        BrokenPathError: the API ranked by something else than was asked for.
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
    if feed.ranking != RANKED_AS.get(ranker, ranker):
        raise BrokenPathError(f"asked for a feed by {ranker}, got one by {feed.ranking}")
    slate = Slate(feed.slate_id, [world.perception.of_feed_item(item) for item in feed.items])
    events = view_slate(world.population.people[person], slate, datetime.now(UTC), mood)
    return sum(event["type"] in ENGAGED for event in events)


def _plain(estimate: Estimate) -> list[float]:
    return [round(value, 4) for value in (estimate.mean, estimate.low, estimate.high)]
