"""A world for the feed benchmark, drawn as arrays: people, heavy-tailed follows, posts, and what is known of them."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photofeed.features.counters import AS_OF_FIELD
from photofeed.features.manifest import ManifestView
from photofeed.ids import EPOCH_MS, topic_id

TOPICS = tuple(f"topic{number}" for number in range(200))
CREATOR_SHARE = 0.1  # of people post at all
FOLLOWS_MEDIAN, FOLLOWS_SIGMA, MOST_FOLLOWS = 25, 1.0, 5_000
POPULARITY_DECAY, PRODUCTIVITY_DECAY = 0.8, 0.5  # Zipf exponents: who is followed, who posts
DAYS = 30.0
VIEWERS, FEWEST_FOLLOWS = 1_000, 10  # whose feeds are asked for, and how many accounts each follows at least
EAGER_FOLLOWS = (2_000, 2_000, 2_000, 5_000, 5_000, 5_000)  # as many of the viewers follow about as many accounts
PAIR_SHARE = 0.5  # of the accounts a viewer follows they have some history with
ID_BITS = 22  # below the milliseconds of an id
DAY_MS = 86_400_000

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class World:
    """Who follows whom and who posted what. Follows and posts name people by their place in `people`."""

    seed: int
    now_ms: int
    people: Ids  # ids, ascending
    followers: Ids  # (follows,) ascending; with `followees` each pair once
    followees: Ids
    posts: Ids  # ids, ascending by time
    authors: Ids
    topics: Ids  # places in TOPICS

    @cached_property
    def follower_counts(self) -> Ids:
        """By person."""
        return np.bincount(self.followees, minlength=len(self.people))

    @cached_property
    def following_counts(self) -> Ids:
        """By person."""
        return np.bincount(self.followers, minlength=len(self.people))

    @cached_property
    def viewers(self) -> Ids:
        """Places of the people whose feeds are asked for."""
        random = np.random.default_rng(self.seed)
        by_follows = np.argsort(self.following_counts, kind="stable")
        likely, eager = by_follows[: -len(EAGER_FOLLOWS)], by_follows[-len(EAGER_FOLLOWS) :]
        likely = likely[self.following_counts[likely] >= FEWEST_FOLLOWS]
        some = random.choice(likely, min(VIEWERS - len(eager), len(likely)), replace=False)
        return random.permutation(np.concatenate([some, eager]))

    @cached_property
    def posted_ms(self) -> Ids:
        """When each post was posted, milliseconds since 1970."""
        return (self.posts >> ID_BITS) + EPOCH_MS

    @cached_property
    def topic_ids(self) -> Ids:
        """Of each post."""
        return np.array([topic_id(name) for name in TOPICS], dtype=np.int64)[self.topics]

    def followed_by(self, person: int) -> Ids:
        """Places of the accounts that a person follows."""
        low, high = np.searchsorted(self.followers, [person, person + 1])
        return self.followees[low:high]

    @cached_property
    def posts_by_author(self) -> tuple[Ids, Ids]:
        """Places of posts, author by author and oldest first, and where each author's begin (people + 1,)."""
        order = np.argsort(self.authors, kind="stable")
        return order, np.searchsorted(self.authors[order], np.arange(len(self.people) + 1))

    def posts_of(self, authors: Ids) -> Ids:
        """Places of all posts of these people, newest first."""
        order, starts = self.posts_by_author
        mine = [order[starts[author] : starts[author + 1]] for author in authors.tolist()]
        return np.sort(np.concatenate(mine or [np.empty(0, np.int64)]))[::-1]


def draw_world(people: int, posts: int, now_ms: int, seed: int = 7) -> World:
    """A world of that size as it is at `now_ms`."""
    random = np.random.default_rng(seed)
    joined = np.sort(random.integers(now_ms - 400 * DAY_MS, now_ms - int(DAYS) * DAY_MS, people))
    posted = np.sort(now_ms - (random.random(posts) * DAYS * DAY_MS).astype(np.int64))
    creators = random.permutation(people)[: max(1, round(people * CREATOR_SHARE))]
    wanted = random.lognormal(np.log(FOLLOWS_MEDIAN), FOLLOWS_SIGMA, people)
    wanted = np.minimum(wanted, min(MOST_FOLLOWS, len(creators) / 2)).astype(np.int64) + 1
    # drawn three times as often, since the popular are drawn again and again
    wanted[-len(EAGER_FOLLOWS) :] = np.minimum(3 * np.array(EAGER_FOLLOWS), 3 * len(creators) // 2)
    followers = np.repeat(np.arange(people), wanted)
    followees = creators[_zipf(len(creators), POPULARITY_DECAY, len(followers), random)]
    others = followers != followees
    pairs = np.unique(followers[others] * people + followees[others])
    return World(
        seed=seed,
        now_ms=now_ms,
        people=(joined - EPOCH_MS) << ID_BITS | np.arange(people),
        followers=pairs // people,
        followees=pairs % people,
        posts=(posted - EPOCH_MS) << ID_BITS | np.arange(posts),
        # not the order of popularity: who posts most is not who is followed most
        authors=random.permutation(creators)[_zipf(len(creators), PRODUCTIVITY_DECAY, posts, random)],
        topics=_zipf(len(TOPICS), PRODUCTIVITY_DECAY, posts, random),
    )


def _zipf(ranks: int, decay: float, size: int, random: np.random.Generator) -> Ids:
    """Ranks drawn with weights 1 / (rank + 1) ** decay."""
    weights = np.cumsum((np.arange(ranks) + 1.0) ** -decay)
    return np.searchsorted(weights, random.random(size) * weights[-1], side="right")


def feature_rows(
    view: ManifestView, rows: int, now_us: int, known: dict[str, NDArray[Any]], random: np.random.Generator
) -> NDArray[np.void]:
    """Made-up values of a view: counters with long tails, `known` columns as they are."""
    values = np.zeros(rows, view.schema.values_dtype)
    for field in view.schema.fixed_fields:
        if field.name in known:
            values[field.name] = known[field.name]
        elif field.name == AS_OF_FIELD:
            values[field.name] = now_us - random.integers(0, 86_400_000_000, rows)
        elif field.name in view.half_lives:
            values[field.name] = np.round(random.lognormal(0, 1.2, rows) * (random.random(rows) < 0.6), 2)  # noqa: PLR2004
        else:
            values[field.name] = np.round(random.lognormal(0, 0.5, rows), 3)
    return values
