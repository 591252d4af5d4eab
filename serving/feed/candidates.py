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


class Source(IntEnum):
    """Where a candidate comes from, best claim first: a post found twice keeps the lower."""

    FOLLOWING = 0
    CELEBRITY = 1
    EXPLORE = 2

    @property
    def label(self) -> str:
        """The source as clients see it."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Candidates:
    """Posts with what is known of them before features: columns of equal length (n,)."""

    post_ids: Ids
    author_ids: Ids
    topic_ids: Ids
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
        rows = decode_members(members)
        return cls(
            rows["post_id"].astype(np.int64),
            rows["author_id"].astype(np.int64),
            rows["topic_id"].astype(np.int64),
            np.full(len(rows), source, dtype=np.int8),
        )

    @classmethod
    def merge(cls, parts: Sequence[Self]) -> Self:
        """All candidates of `parts`, each post once, of its best source; order of first appearance is kept."""
        together = cls(
            np.concatenate([part.post_ids for part in parts]),
            np.concatenate([part.author_ids for part in parts]),
            np.concatenate([part.topic_ids for part in parts]),
            np.concatenate([part.sources for part in parts]),
        )
        by_claim = np.argsort(together.sources, kind="stable")
        _, first = np.unique(together.post_ids[by_claim], return_index=True)
        return together.take(np.sort(by_claim[first]))

    def take(self, rows: NDArray[np.intp] | Mask) -> Self:
        """The candidates at these places, or where the mask is true."""
        return type(self)(self.post_ids[rows], self.author_ids[rows], self.topic_ids[rows], self.sources[rows])

    def is_source(self, source: Source) -> Mask:
        """Which candidates come from a source."""
        mask: Mask = self.sources == source
        return mask
