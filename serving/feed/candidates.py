"""Candidates: posts that may be shown, as columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Self

import numpy as np
from numpy.typing import NDArray

from photofeed.posts import decode_members

Ids = NDArray[np.int64]
Mask = NDArray[np.bool_]


def among(ids: Ids, others: Ids) -> Mask:
    """Which of some ids are among others, (n,): `np.isin`, at a third of its price for so few."""
    if not len(others):
        return np.zeros(len(ids), np.bool_)
    ordered = np.sort(others)
    places = ordered.searchsorted(ids)
    places[places == len(ordered)] = 0
    mask: Mask = ordered[places] == ids
    return mask


class Source(IntEnum):
    """Where a candidate comes from, best claim first: a post found twice keeps the lower.

    From NEIGHBOURS on they are the pools of explore, outside the follow graph.
    """

    FOLLOWING = 0
    CELEBRITY = 1
    NEIGHBOURS = 2  # liked by the people who like what the viewer liked lately
    TOPICS = 3  # on topics the viewer liked lately
    NEW_CREATORS = 4
    TRENDING = 5
    FRESH = 6
    POPULAR = 7  # older posts, where all else is seen

    @property
    def label(self) -> str:
        """The source as clients see it."""
        return _LABELS[self]

    @property
    def pool(self) -> str:
        """The source by its own name, which logs and explanations give."""
        return _POOLS[self]

    @property
    def is_explore(self) -> bool:
        """Whether it finds posts outside the follow graph."""
        return self >= Source.NEIGHBOURS


# looked up thirty times a page: an enum takes its time to say its name, and to be made of a number
SOURCES = tuple(Source)
_POOLS = tuple(source.name.lower() for source in SOURCES)
_LABELS = tuple("explore" if source.is_explore else _POOLS[source] for source in SOURCES)


@dataclass(frozen=True, slots=True)
class Candidates:
    """Posts with what is known of them before features: columns of equal length (n,)."""

    post_ids: Ids
    author_ids: Ids
    topic_ids: Ids
    hashes: Ids  # perceptual; 0 where not known
    reels: Mask
    sources: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.post_ids)

    @classmethod
    def empty(cls) -> Self:
        """No candidates."""
        return cls.from_members([], Source.FOLLOWING)

    @classmethod
    def from_members(cls, members: list[bytes], source: Source) -> Self:
        """Candidates in sorted-set members of `photofeed.posts`."""
        return cls.from_posts(decode_members(members), source)

    @classmethod
    def from_posts(cls, rows: NDArray[np.void], source: Source) -> Self:
        """Candidates in rows of POST_DTYPE."""
        return cls(
            rows["post_id"].astype(np.int64),
            rows["author_id"].astype(np.int64),
            rows["topic_id"].astype(np.int64),
            rows["perceptual_hash"].astype(np.int64),
            rows["is_reel"].astype(np.bool_),
            np.full(len(rows), source, dtype=np.int8),
        )

    @classmethod
    def merge(cls, parts: Sequence[Self]) -> Self:
        """All candidates of `parts`, each post once, of its best source; order of first appearance is kept."""
        together = cls.together(parts)
        by_claim = np.argsort(together.sources, kind="stable")
        _, first = np.unique(together.post_ids[by_claim], return_index=True)
        return together.take(np.sort(by_claim[first]))

    @classmethod
    def together(cls, parts: Sequence[Self]) -> Self:
        """All candidates of `parts`, at least one, one part after the other."""
        return cls(
            np.concatenate([part.post_ids for part in parts]),
            np.concatenate([part.author_ids for part in parts]),
            np.concatenate([part.topic_ids for part in parts]),
            np.concatenate([part.hashes for part in parts]),
            np.concatenate([part.reels for part in parts]),
            np.concatenate([part.sources for part in parts]),
        )

    def take(self, rows: NDArray[np.intp] | Mask) -> Self:
        """The candidates at these places, or where the mask is true."""
        return type(self)(
            self.post_ids[rows],
            self.author_ids[rows],
            self.topic_ids[rows],
            self.hashes[rows],
            self.reels[rows],
            self.sources[rows],
        )

    @property
    def explore(self) -> Mask:
        """Which candidates come from outside the follow graph."""
        mask: Mask = self.sources >= Source.NEIGHBOURS.value  # four times as fast as with the enum
        return mask
