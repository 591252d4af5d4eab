"""Taste: posts near those the viewer liked lately, and on their topics, out of pools that are kept ready."""

import struct

import numpy as np

from photofeed.explore_pools import LIKED_LAYOUT, liked_key, neighbours_key, posts_of_pools, topic_key
from serving.feed.candidates import Candidates, Source
from serving.feed.query import FeedRequest
from serving.feed.sources.draw import draw
from serving.pipelined_redis import PipelinedRedis

MOST_LIKED, MOST_TOPICS = 10, 3


class TasteSource:
    """Two round trips of a fixed size, whatever there is in the world."""

    name = "taste"

    def __init__(self, redis: PipelinedRedis, rng: np.random.Generator) -> None:
        self._redis = redis
        self._rng = rng

    async def fetch(self, request: FeedRequest, limit: int) -> Candidates:
        """A random draw, half from neighbours and half from topics; nothing for who has liked nothing lately."""
        (liked,) = await self._redis.ask(("ZREVRANGE", liked_key(request.user_id), 0, MOST_LIKED - 1))
        if not liked:
            return Candidates.empty()
        posts, topics = zip(*(struct.unpack(LIKED_LAYOUT, one) for one in liked), strict=True)
        favourite = list(dict.fromkeys(topics))[:MOST_TOPICS]
        keys = [*map(neighbours_key, posts), *map(topic_key, favourite)]
        (found,) = await self._redis.ask(("MGET", *keys))
        parts = []
        for pools, source in ((found[: len(posts)], Source.NEIGHBOURS), (found[len(posts) :], Source.TOPICS)):
            near = posts_of_pools(*pools)
            parts.append(Candidates.from_posts(near[draw(len(near), limit // 2, self._rng)], source))
        return Candidates.together(parts)
