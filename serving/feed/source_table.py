"""The candidate sources: the one table of their labels, pools and shares, checked at import."""

import math
from collections.abc import Iterable
from enum import IntEnum
from typing import Self, TypeVar

import numpy as np

EXPLORE = "explore"


class SourceTable(IntEnum):
    """A table of sources. A member's value is its number; its columns are attributes.

    Attributes:
        label: the source as clients see it. All sources outside the follow graph share the label "explore".
        pool: the source's own name, in logs and explanations.
        share: of explore slots, the probability that a slot is filled from this pool while all pools have posts;
            None for sources of the follow graph.
        is_explore: whether it finds posts outside the follow graph. It follows from the label.
    """

    label: str
    pool: str
    share: float | None
    is_explore: bool

    def __new__(cls, number: int, label: str, pool: str, share: float | None = None) -> Self:
        """A member, from one row of the table."""
        member = int.__new__(cls, number)
        member._value_ = number
        member.label, member.pool, member.share = label, pool, share
        member.is_explore = label == EXPLORE
        return member


Table = TypeVar("Table", bound=SourceTable)


def checked(table: type[Table]) -> type[Table]:
    """The table, if compiled code may index arrays by it.

    Raises:
        ValueError: names the source that breaks a rule: numbers count up from 0, the sources of the follow graph come
            first, every explore source has a share above 0 and no other source has one, and the shares sum to 1.
    """
    for name, source in table.__members__.items():
        if name != source.name:
            raise ValueError(f"{table.__name__}.{name} has the number of {source.name}")
    explore_begins = False
    for number, source in enumerate(table):
        name = f"{table.__name__}.{source.name}"
        if source != number:
            raise ValueError(f"{name} must have the number {number}: sources count up from 0")
        if explore_begins and not source.is_explore:
            raise ValueError(f"{name} must stand before all explore sources")
        explore_begins = source.is_explore
        if source.is_explore and not (source.share and source.share > 0):
            raise ValueError(f"{name} is an explore source without a share: give it one above 0")
        if not source.is_explore and source.share is not None:
            raise ValueError(f"{name} has a share, and is not an explore source")
    shares = pool_shares(table)
    if not math.isclose(sum(shares), 1.0, abs_tol=1e-6):
        names = ", ".join(source.name for source in table if source.is_explore)
        raise ValueError(f"the shares of {names} sum to {sum(shares)}, not to 1")
    return table


def pool_shares(table: Iterable[SourceTable]) -> list[float]:
    """The share of each explore source, in the order of the table."""
    return [source.share for source in table if source.share is not None]


@checked
class Source(SourceTable):
    """Where a candidate comes from, best claim first: a post that two sources found keeps the lower number.

    New creators have a share of their own, independent of the model's opinion of posts that nobody has seen yet.
    POPULAR (older posts, for viewers who have seen everything else) has almost none: it fills slots that no other pool
    can fill.
    """

    FOLLOWING = 0, "following", "following"
    CELEBRITY = 1, "celebrity", "celebrity"
    GIVEN = 2, "given", "given"  # by the request, of POST /v1/rank
    NEIGHBOURS = 3, EXPLORE, "neighbours", 0.30  # liked by the people who like what the viewer recently liked
    TOPICS = 4, EXPLORE, "topics", 0.20  # on topics the viewer recently liked
    NEW_CREATORS = 5, EXPLORE, "new_creators", 0.20
    TRENDING = 6, EXPLORE, "trending", 0.20
    FRESH = 7, EXPLORE, "fresh", 0.10
    POPULAR = 8, EXPLORE, "popular", 1e-9
    OFFERED = 9, EXPLORE, "offered", 1e-9  # by the request, to be explored; alone in its ranking


SOURCES = tuple(Source)
"""The sources by number: indexing is faster than `Source(number)`, and a page does it thirty times."""

FIRST_EXPLORE = next(int(source) for source in Source if source.is_explore)
"""The number of the first explore source: all from here on are explore sources."""

POOL_SHARES = np.array(pool_shares(Source))
"""float64 (explore sources,): the share of each pool; the pool of a source is its number less FIRST_EXPLORE."""
