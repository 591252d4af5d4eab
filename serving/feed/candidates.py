"""Candidates: posts that may be shown, as columns of equal length."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Self

import numpy as np
from numpy.typing import NDArray

from photofeed.posts import decode_members
from serving.feed import candidate_kernel, id_kernel
from serving.feed.candidate_kernel import columns_of_posts
from serving.feed.id_kernel import best_of_each, contained, ranked_rows
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


def warm() -> None:
    """Compile the loops over candidates (seconds) or load them from numba's cache, so that no request waits for it."""
    id_kernel.warm()
    candidate_kernel.warm()


@dataclass(frozen=True, slots=True)
class Candidates:
    """Posts with the columns that are known before features are read.

    Attributes:
        columns: int64 (6, n), in the order of the properties. One array, because a feed selects from its candidates,
            and puts them together, half a dozen times.
    """

    columns: Ids

    def __len__(self) -> int:
        return len(self.columns[0])

    def _column(self, number: int) -> Ids:
        column: Ids = self.columns[number]
        return column

    @property
    def post_ids(self) -> Ids:
        """The post: (n,)."""
        return self._column(0)

    @property
    def author_ids(self) -> Ids:
        """Its author: (n,)."""
        return self._column(1)

    @property
    def topic_ids(self) -> Ids:
        """Its topic: (n,), 0 without one."""
        return self._column(2)

    @property
    def hashes(self) -> Ids:
        """Its perceptual hash: (n,), 0 if unknown."""
        return self._column(3)

    @property
    def reels(self) -> Ids:
        """Whether it is a reel: (n,), 0 or 1."""
        return self._column(4)

    @property
    def sources(self) -> Ids:
        """The source that found it, a number of `Source`: (n,)."""
        return self._column(5)

    @property
    def explore(self) -> Mask:
        """Which candidates come from outside the follow graph: bool (n,)."""
        mask: Mask = self.columns[5] >= FIRST_EXPLORE
        return mask

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
        """Candidates from contiguous rows of POST_DTYPE."""
        return cls(columns_of_posts(rows.view(np.uint8).reshape(len(rows), rows.itemsize), int(source)))

    @classmethod
    def merge(cls, parts: Sequence[Self]) -> Self:
        """All candidates of `parts`, each post once, with its lowest source; order of first appearance is kept."""
        together = cls.together(parts)
        return together.take(best_of_each(together.post_ids, together.sources))

    @classmethod
    def together(cls, parts: Sequence[Self]) -> Self:
        """The candidates of all `parts`, at least one, concatenated."""
        return cls(np.concatenate([part.columns for part in parts], axis=1))

    def take(self, rows: NDArray[np.intp] | Mask) -> Self:
        """The candidates at these indices, or where the mask is true."""
        indices = rows.nonzero()[0] if rows.dtype == np.bool_ else rows
        return type(self)(self.columns.take(indices, axis=1))

    def ranked(self, limit: int) -> Self:
        """At most `limit` candidates: explore posts by new authors, and the newest posts of the follow graph.

        Explore shows no authors that other sources found. Each source may fill the limit alone. Together they would
        find more posts than a slate can show, and the request would wait for all of them to be scored. The limit does
        not apply to explore posts.
        """
        rows = ranked_rows(self.post_ids, self.author_ids, self.explore, limit)
        return self if len(rows) == len(self) else self.take(rows)
