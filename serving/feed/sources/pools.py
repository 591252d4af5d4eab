"""Pools for everybody, outside the follow graph: what trends, what new creators posted, and what is fresh."""

import random

from photofeed.explore_pools import NEW_CREATORS_KEY, TRENDING_POOL_KEY, posts_of_pool
from photofeed.posts import decode_members
from photofeed.timelines import FRESH_POOL
from serving.feed.candidates import Candidates, Source
from serving.feed.query import FeedQuery
from serving.pipelined_redis import PipelinedRedis

FRESH_DEPTH = 500  # how many of the newest posts are drawn from


class PoolSource:
    """Draws posts at random from the pools: one round trip of a fixed size, whatever there is in the world."""

    name = "pools"

    def __init__(self, redis: PipelinedRedis) -> None:
        self._redis = redis

    async def fetch(self, query: FeedQuery, limit: int) -> Candidates:
        """A third from each pool, more from the fresh ones where the others are small.

        Drawn at random, so that over many requests every post of the pools is tried.
        """
        trending, new_creators, fresh = await self._redis.ask(
            ("GET", TRENDING_POOL_KEY), ("GET", NEW_CREATORS_KEY), ("ZREVRANGE", FRESH_POOL, 0, FRESH_DEPTH - 1)
        )
        draw = random.Random(hash((query.user_id, query.seconds)))
        parts, left = [], limit
        for posts, source, share in (
            (posts_of_pool(trending), Source.TRENDING, limit // 3),
            (posts_of_pool(new_creators), Source.NEW_CREATORS, limit // 3),
            (decode_members(fresh), Source.FRESH, limit),
        ):
            drawn = draw.sample(range(len(posts)), min(len(posts), share, left))
            left -= len(drawn)
            parts.append(Candidates.from_posts(posts[drawn], source))
        return Candidates.together(parts)
