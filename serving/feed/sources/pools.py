"""The explore pools that all viewers share: trending posts, posts of new creators, and fresh posts."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from photofeed.explore_pools import NEW_CREATORS_KEY, TRENDING_POOL_KEY, posts_of_pools
from photofeed.posts import decode_members
from photofeed.timelines import FRESH_POOL
from serving.feed.candidates import Candidates
from serving.feed.query import FeedRequest
from serving.feed.source_table import Source
from serving.feed.sources.draw import draw
from serving.pipelined_redis import RedisCommands

FRESH_DEPTH = 500  # fresh posts are drawn from this many of the newest


@dataclass(frozen=True, slots=True)
class _Pools:
    """The contents of the pools at one time: all posts, one pool after the other."""

    posts: Candidates
    sizes: tuple[int, ...]  # trending, new creators, fresh
    read_at: float


class PoolSource:
    """Draws posts at random from the pools. The process reads the pools once for all viewers every `seconds`."""

    name = "pools"

    def __init__(
        self,
        redis: RedisCommands,
        rng: np.random.Generator,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis = redis
        self._seconds = seconds
        self._rng = rng
        self._clock = clock
        self._kept: _Pools | None = None

    async def fetch(self, request: FeedRequest, limit: int) -> Candidates:  # noqa: ARG002  the same for all viewers
        """A third from each pool; more fresh posts where the others are small.

        The draw is random, so over many requests every post of the pools becomes a candidate.
        """
        pools = self._kept
        if pools is None or self._clock() - pools.read_at > self._seconds:
            pools = self._kept = await self._read()
        drawn, begin, left = [], 0, limit
        for size, share in zip(pools.sizes, (limit // 3, limit // 3, limit), strict=True):
            drawn.append(begin + draw(size, min(share, left), self._rng))
            begin += size
            left -= len(drawn[-1])
        return pools.posts.take(np.concatenate(drawn))

    async def _read(self) -> _Pools:
        read_at = self._clock()
        trending, new_creators, fresh = await self._redis.ask(
            ("GET", TRENDING_POOL_KEY), ("GET", NEW_CREATORS_KEY), ("ZREVRANGE", FRESH_POOL, 0, FRESH_DEPTH - 1)
        )
        pools = [
            Candidates.from_posts(posts_of_pools(trending), Source.TRENDING),
            Candidates.from_posts(posts_of_pools(new_creators), Source.NEW_CREATORS),
            Candidates.from_posts(decode_members(fresh), Source.FRESH),
        ]
        return _Pools(Candidates.together(pools), tuple(map(len, pools)), read_at)
