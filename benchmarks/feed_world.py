"""A random world for the feed benchmark, as arrays: users, heavy-tailed follows, posts, and feature values."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photofeed.features.counters import AS_OF_FIELD
from photofeed.features.manifest import ManifestView
from photofeed.ids import EPOCH_MS, RANDOM_BITS, topic_id

TOPICS = tuple(f"topic{number}" for number in range(200))
CREATOR_SHARE = 0.1  # share of users who post
FOLLOWS_MEDIAN, FOLLOWS_SIGMA, MOST_FOLLOWS = 25, 1.0, 5_000
POPULARITY_DECAY, PRODUCTIVITY_DECAY = 0.8, 0.5  # Zipf exponents of followers and of posts per creator
DAYS = 30.0
VIEWERS, FEWEST_FOLLOWS = 1_000, 10  # number of viewers, and the least number of accounts that each follows
EAGER_FOLLOWS = (2_000, 2_000, 2_000, 5_000, 5_000, 5_000)  # accounts that six viewers follow, about
PAIR_SHARE = 0.5  # share of followed accounts that a viewer has engaged with
DAY_MS = 86_400_000

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class World:
    """Users, follows and posts. Follows and posts refer to users by index in `people`."""

    seed: int
    now_ms: int
    people: Ids  # ids, ascending
    followers: Ids  # (follows,) ascending; pairs with `followees` are distinct
    followees: Ids
    posts: Ids  # ids, ascending by time
    authors: Ids
    topics: Ids  # (posts,) indices in TOPICS

    @cached_property
    def follower_counts(self) -> Ids:
        """Number of followers, (people,)."""
        return np.bincount(self.followees, minlength=len(self.people))

    @cached_property
    def following_counts(self) -> Ids:
        """Number of accounts followed, (people,)."""
        return np.bincount(self.followers, minlength=len(self.people))

    @cached_property
    def viewers(self) -> Ids:
        """Indices of the users whose feeds are requested."""
        random = np.random.default_rng(self.seed)
        by_follows = np.argsort(self.following_counts, kind="stable")
        likely, eager = by_follows[: -len(EAGER_FOLLOWS)], by_follows[-len(EAGER_FOLLOWS) :]
        likely = likely[self.following_counts[likely] >= FEWEST_FOLLOWS]
        some = random.choice(likely, min(VIEWERS - len(eager), len(likely)), replace=False)
        return random.permutation(np.concatenate([some, eager]))

    @cached_property
    def posted_ms(self) -> Ids:
        """Time of each post, milliseconds since 1970."""
        return (self.posts >> RANDOM_BITS) + EPOCH_MS

    @cached_property
    def topic_ids(self) -> Ids:
        """Topic id of each post."""
        return np.array([topic_id(name) for name in TOPICS], dtype=np.int64)[self.topics]

    def followed_by(self, person: int) -> Ids:
        """Indices of the accounts that a user follows."""
        low, high = np.searchsorted(self.followers, [person, person + 1])
        return self.followees[low:high]

    @cached_property
    def posts_by_author(self) -> tuple[Ids, Ids]:
        """Indices of posts grouped by author, oldest first, and the start of each author's group (people + 1,)."""
        order = np.argsort(self.authors, kind="stable")
        return order, np.searchsorted(self.authors[order], np.arange(len(self.people) + 1))

    def posts_of(self, authors: Ids) -> Ids:
        """Indices of all posts by these authors, newest first."""
        order, starts = self.posts_by_author
        groups = [order[starts[author] : starts[author + 1]] for author in authors.tolist()]
        return np.sort(np.concatenate(groups or [np.empty(0, np.int64)]))[::-1]


def draw_world(people: int, posts: int, now_ms: int, seed: int = 7) -> World:
    """Draw a world of this size at the time `now_ms`."""
    random = np.random.default_rng(seed)
    joined = np.sort(random.integers(now_ms - 400 * DAY_MS, now_ms - int(DAYS) * DAY_MS, people))
    posted = np.sort(now_ms - (random.random(posts) * DAYS * DAY_MS).astype(np.int64))
    creators = random.permutation(people)[: max(1, round(people * CREATOR_SHARE))]
    drawn = random.lognormal(np.log(FOLLOWS_MEDIAN), FOLLOWS_SIGMA, people)
    follows = np.minimum(drawn, min(MOST_FOLLOWS, len(creators) / 2)).astype(np.int64) + 1
    # three times the target, because popular creators are drawn repeatedly and count once
    follows[-len(EAGER_FOLLOWS) :] = np.minimum(3 * np.array(EAGER_FOLLOWS), 3 * len(creators) // 2)
    followers = np.repeat(np.arange(people), follows)
    followees = creators[_zipf(len(creators), POPULARITY_DECAY, len(followers), random)]
    others = followers != followees
    pairs = np.unique(followers[others] * people + followees[others])
    return World(
        seed=seed,
        now_ms=now_ms,
        people=(joined - EPOCH_MS) << RANDOM_BITS | np.arange(people),
        followers=pairs // people,
        followees=pairs % people,
        posts=(posted - EPOCH_MS) << RANDOM_BITS | np.arange(posts),
        # permuted again, because the most active creators are not the most followed ones
        authors=random.permutation(creators)[_zipf(len(creators), PRODUCTIVITY_DECAY, posts, random)],
        topics=_zipf(len(TOPICS), PRODUCTIVITY_DECAY, posts, random),
    )


def _zipf(ranks: int, decay: float, size: int, random: np.random.Generator) -> Ids:
    """Ranks drawn with weights 1 / (rank + 1) ** decay."""
    weights = np.cumsum((np.arange(ranks) + 1.0) ** -decay)
    ranks_drawn: Ids = np.searchsorted(weights, random.random(size) * weights[-1], side="right")
    return ranks_drawn


def feature_rows(
    view: ManifestView, rows: int, now_us: int, known: dict[str, NDArray[Any]], random: np.random.Generator
) -> NDArray[np.void]:
    """Random rows of a view: counters are heavy-tailed, and `known` columns are copied."""
    values = np.zeros(rows, view.schema.values_dtype)
    for field in view.schema.fixed_fields:
        if field.name in known:
            values[field.name] = known[field.name]
        elif field.name == AS_OF_FIELD:
            values[field.name] = now_us - random.integers(0, DAY_MS * 1000, rows)
        elif field.name in view.half_lives:
            values[field.name] = np.round(random.lognormal(0, 1.2, rows) * (random.random(rows) < 0.6), 2)  # noqa: PLR2004
        else:
            values[field.name] = np.round(random.lognormal(0, 0.5, rows), 3)
    return values
