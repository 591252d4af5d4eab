"""Explore pools in Redis: each is one value of concatenated members (`photofeed.posts`), read by one GET.

    explore:trending       public posts by their current rate of likes
    explore:new            recent posts of new creators
    explore:topic:<topic>  popular posts of a topic
    near:<post>            posts liked by the people who liked this one
    liked:<user>           recent likes and saves of the user: a sorted set of (post, topic) by time

The pools worker (ingestion/pools/) builds all except `liked` nearline, from public posts only.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from photofeed.posts import POST_DTYPE

TRENDING_POOL_KEY, NEW_CREATORS_KEY = "explore:trending", "explore:new"
LIKED_LAYOUT = ">QQ"
LIKED_LENGTH = 20
LIKED_SECONDS = 90 * 86_400


def topic_key(topic_id: int) -> str:
    """Key of a topic's pool."""
    return f"explore:topic:{topic_id}"


def neighbours_key(post_id: int) -> str:
    """Key of a post's neighbours."""
    return f"near:{post_id}"


def liked_key(user_id: int) -> str:
    """Key of a user's recent likes and saves."""
    return f"liked:{user_id}"


def join_members(members: Iterable[bytes]) -> bytes:
    """The stored value of a pool."""
    return b"".join(members)


def posts_of_pools(*pools: bytes | None) -> NDArray[np.void]:
    """The posts of stored pools, concatenated, as rows of POST_DTYPE.

    Missing pools (None) and pools of an older layout have no posts.
    """
    kept = [pool for pool in pools if pool is not None and len(pool) % POST_DTYPE.itemsize == 0]
    return np.frombuffer(b"".join(kept), POST_DTYPE)
