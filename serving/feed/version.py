"""The version of a feed's first page: which slate, how many posts were asked for, and which were shown."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Self

import numpy as np

_DIGEST_BYTES = 6
_OPAQUE = re.compile(r'"([0-9a-f-]{36})\.([0-9]{1,4})\.([0-9a-f]{12})"')


@dataclass(frozen=True, slots=True)
class PageVersion:
    """What a client has: the first page of `limit` posts of a slate.

    `shown` is a digest of the posts' ids and of the viewer's relations, which decide what else the page would have.
    """

    slate_id: str
    limit: int
    shown: str

    @classmethod
    def of(cls, slate_id: str, limit: int, post_ids: Sequence[int], relations: bytes) -> Self:
        """The version of a page with these posts, in order; `relations` as in `Viewer`."""
        shown = np.array(post_ids, "<i8").tobytes() + relations
        return cls(slate_id, limit, blake2b(shown, digest_size=_DIGEST_BYTES).hexdigest())

    @classmethod
    def read(cls, opaque: str) -> Self | None:
        """The version in the opaque part of an entity tag, with its quotes; None for any other tag."""
        found = _OPAQUE.fullmatch(opaque)
        return cls(found[1], int(found[2]), found[3]) if found else None

    @property
    def etag(self) -> str:
        """The entity tag; weak, because counts of likes may change while the posts stay."""
        return f'W/"{self.slate_id}.{self.limit}.{self.shown}"'
