"""Pools of explore in Redis: each one value, members of `photofeed.posts` one after the other, read by one GET.

    explore:trending       public posts by how fast they are liked now
    explore:new            fresh posts of creators who are new here
    explore:topic:<topic>  what people take to on a topic
    near:<post>            posts liked by the people who liked this one
    liked:<user>           what the user liked or saved lately: a sorted set of (post, topic) by when

All but `liked` are built nearline by the pools worker (ingestion/pools/), and hold only posts that everyone may see.
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
    """Key of what a user liked lately."""
    return f"liked:{user_id}"


def join_members(members: Iterable[bytes]) -> bytes:
    """A pool as it is stored."""
    return b"".join(members)


def posts_of_pools(*pools: bytes | None) -> NDArray[np.void]:
    """The posts of stored pools, one pool after the other, as rows of POST_DTYPE.

    There are none of a pool that is not there, or of an older layout.
    """
    kept = [pool for pool in pools if pool is not None and len(pool) % POST_DTYPE.itemsize == 0]
    return np.frombuffer(b"".join(kept), POST_DTYPE)
