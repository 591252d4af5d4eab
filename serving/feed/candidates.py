"""Candidates: posts that may be shown, as columns of equal length."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Self

import numpy as np
from numpy.typing import NDArray

from photofeed.posts import decode_members
from serving.feed.id_kernel import best_of_each, contained
from serving.feed.source_table import FIRST_EXPLORE, Source

Ids = NDArray[np.int64]
Mask = NDArray[np.bool_]


def no_ids() -> Ids:
    """No ids."""
    return np.zeros(0, np.int64)


def native(ids: Ids) -> Ids:
    """The ids as compiled loops take them: int64, contiguous and writable. A copy only if they are not."""
    return ids if ids.flags.carray and ids.dtype == np.int64 else np.array(ids, np.int64)


def among(ids: Ids, others: Ids) -> Mask:
    """Which of some ids are among others, (n,): `np.isin`, much faster for so few."""
    return contained(native(ids), native(others)) if len(others) else np.zeros(len(ids), np.bool_)


@dataclass(frozen=True, slots=True)
class Candidates:
    """Posts with the columns that are known before features are read, each of shape (n,)."""

    post_ids: Ids
    author_ids: Ids
    topic_ids: Ids
    hashes: Ids  # perceptual; 0 if unknown
    reels: Mask
    sources: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.post_ids)

    @classmethod
    @cache
    def empty(cls) -> Self:
        """No candidates."""
        return cls.from_members([], Source.FOLLOWING)

    @classmethod
    def from_members(cls, members: list[bytes], source: Source) -> Self:
        """Candidates from sorted-set members of `photofeed.posts`."""
        return cls.from_posts(decode_members(members), source)

    @classmethod
    def from_posts(cls, rows: NDArray[np.void], source: Source) -> Self:
        """Candidates from rows of POST_DTYPE."""
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
        """All candidates of `parts`, each post once, with its lowest source; order of first appearance is kept."""
        together = cls.together(parts)
        return together.take(best_of_each(together.post_ids, together.sources))

    @classmethod
    def together(cls, parts: Sequence[Self]) -> Self:
        """The candidates of all `parts`, at least one, concatenated."""
        return cls(
            np.concatenate([part.post_ids for part in parts]),
            np.concatenate([part.author_ids for part in parts]),
            np.concatenate([part.topic_ids for part in parts]),
            np.concatenate([part.hashes for part in parts]),
            np.concatenate([part.reels for part in parts]),
            np.concatenate([part.sources for part in parts]),
        )

    def take(self, rows: NDArray[np.intp] | Mask) -> Self:
        """The candidates at these indices, or where the mask is true."""
        # six look-ups by a mask take three times as long
        indices = rows.nonzero()[0] if rows.dtype == np.bool_ else rows
        return type(self)(
            self.post_ids.take(indices),
            self.author_ids.take(indices),
            self.topic_ids.take(indices),
            self.hashes.take(indices),
            self.reels.take(indices),
            self.sources.take(indices),
        )

    @property
    def explore(self) -> Mask:
        """Which candidates come from outside the follow graph."""
        mask: Mask = self.sources >= FIRST_EXPLORE
        return mask
