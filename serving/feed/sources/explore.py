"""Explore: posts from outside the follow graph, out of pools that are kept ready."""

import random
from typing import Any

from photofeed.timelines import FRESH_POOL, TRENDING_POOL
from serving.feed.candidates import Candidates, Source
from serving.feed.query import FeedQuery

# How many of the newest and of the hottest posts are drawn from, and how much of the draw is fresh: what nobody
# has seen yet must get a chance to be seen.
FRESH_DEPTH, TRENDING_DEPTH = 1_000, 300
FRESH_SHARE = 0.5


class ExploreSource:
    """Draws posts at random from the fresh and the trending pool."""

    name = "explore"

    def __init__(self, redis: Any) -> None:
        self._redis = redis

    async def fetch(self, query: FeedQuery, limit: int) -> Candidates:
        """A random draw, so that over many requests every post of the pools is tried."""
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.zrange(FRESH_POOL, 0, FRESH_DEPTH - 1, desc=True)
        pipeline.zrange(TRENDING_POOL, 0, TRENDING_DEPTH - 1, desc=True)
        fresh, trending = await pipeline.execute()
        draw = random.Random(hash((query.user_id, query.seconds)))
        wanted_fresh = min(len(fresh), max(limit - len(trending), round(limit * FRESH_SHARE)))
        return Candidates.merge(
            [
                Candidates.from_members(draw.sample(fresh, wanted_fresh), Source.FRESH),
                Candidates.from_members(
                    draw.sample(trending, min(len(trending), limit - wanted_fresh)), Source.TRENDING
                ),
            ]
        )
