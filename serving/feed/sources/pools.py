"""Pools for everybody, outside the follow graph: what trends, what new creators posted, and what is fresh."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from photofeed.explore_pools import NEW_CREATORS_KEY, TRENDING_POOL_KEY, posts_of_pools
from photofeed.posts import decode_members
from photofeed.timelines import FRESH_POOL
from serving.feed.candidates import Candidates, Source
from serving.feed.query import FeedRequest
from serving.feed.sources.draw import draw
from serving.pipelined_redis import PipelinedRedis

FRESH_DEPTH = 500  # how many of the newest posts are drawn from


@dataclass(frozen=True, slots=True)
class _Pools:
    """The pools as they were at a moment: all their posts, one pool after the other."""

    posts: Candidates
    sizes: tuple[int, ...]  # what trends, what new creators posted, what is fresh
    read_at: float


class PoolSource:
    """Draws posts at random from the pools, which the process reads for all who ask, and keeps for `seconds`."""

    name = "pools"

    def __init__(
        self,
        redis: PipelinedRedis,
        rng: np.random.Generator,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis = redis
        self._seconds = seconds
        self._rng = rng
        self._clock = clock
        self._kept: _Pools | None = None

    async def fetch(self, request: FeedRequest, limit: int) -> Candidates:  # noqa: ARG002  the same for everybody
        """A third from each pool, more from the fresh ones where the others are small.

        Drawn at random, so that over many requests every post of the pools is tried.
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
