"""Neighbours of posts: posts that the same people engaged with, by matrix factorization of their engagement."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingestion.pools.public_posts import members_of
from photofeed.action_weights import ENGAGEMENT_WEIGHTS
from photofeed.database import Database
from photofeed.events import Action
from photofeed.explore_pools import join_members, neighbours_key
from photofeed.factorization import factorize

LIKED_FOR = timedelta(days=60)
MOST_PAIRS = 5_000_000
FEWEST_PEOPLE = 2  # who engaged with a post: fewer do not show which posts are similar
NEIGHBOURS = 20

_PAIRS = """
select user_id, post_id, sum(weight)::real as weight from (
    select user_id, post_id, %(like)s::real as weight from likes where created_at > %(since)s
    union all select user_id, post_id, %(save)s from saves where created_at > %(since)s
    union all select distinct user_id, post_id, %(comment)s::real from comments where created_at > %(since)s) taken
group by 1, 2 order by post_id desc limit %(limit)s
"""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Factors of posts, then nearest by cosine."""

    database: Database
    name: str = "neighbours"
    every_seconds: float = 60.0

    def build(self, now: datetime) -> Mapping[str, bytes]:
        """One pool for each post that at least FEWEST_PEOPLE engaged with."""
        users, posts, weights = self._pairs(now)
        distinct, row, counts = np.unique(posts, return_inverse=True, return_counts=True)
        enough = counts[row] >= FEWEST_PEOPLE
        users, posts, weights = users[enough], posts[enough], weights[enough]
        if len(distinct[counts >= FEWEST_PEOPLE]) < 2:  # noqa: PLR2004  one post has no neighbour
            return {}
        factors = factorize(users, posts, weights)
        near = nearest(factors.posts, NEIGHBOURS)
        members = members_of(self.database, factors.post_ids.tolist())
        return {
            neighbours_key(post): join_members(
                members[one] for one in factors.post_ids[indices[indices >= 0]].tolist() if one in members
            )
            for post, indices in zip(factors.post_ids.tolist(), near, strict=True)
        }

    def _pairs(self, now: datetime) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
        """People, the posts that they engaged with, and the weights of that engagement."""
        weights = {str(action): ENGAGEMENT_WEIGHTS[action] for action in (Action.LIKE, Action.COMMENT, Action.SAVE)}
        arguments = {"since": now - LIKED_FOR, "limit": MOST_PAIRS, **weights}
        with self.database.connection() as connection:
            rows = connection.execute(_PAIRS, arguments).fetchall()
        return (
            np.array([row["user_id"] for row in rows], np.int64),
            np.array([row["post_id"] for row in rows], np.int64),
            np.array([row["weight"] for row in rows], np.float32),
        )


def nearest(factors: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """The nearest other rows of each row by cosine: indices (n, count), nearest first, -1 if there are fewer."""
    from usearch.index import Index  # noqa: PLC0415  loaded only where pools are built

    index = Index(ndim=factors.shape[1], metric="cos", dtype="f32")
    index.add(np.arange(len(factors)), factors, threads=1)
    found: Any = index.search(factors, min(count + 1, len(factors)), threads=1)
    keys = np.asarray(found.keys).astype(np.int64)
    keys[np.arange(keys.shape[1])[None, :] >= np.asarray(found.counts)[:, None]] = -1
    others = [row[(row != own) & (row >= 0)][:count] for own, row in enumerate(keys)]
    padded = np.full((len(factors), count), -1, np.int64)
    for own, row in enumerate(others):
        padded[own, : len(row)] = row
    return padded
