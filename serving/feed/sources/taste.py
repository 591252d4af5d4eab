"""Taste: neighbours of the posts that the viewer recently liked, and posts on their topics, from precomputed pools."""

import struct

import numpy as np

from photofeed.explore_pools import LIKED_LAYOUT, liked_key, neighbours_key, posts_of_pools, topic_key
from serving.feed.candidates import Candidates
from serving.feed.query import FeedRequest
from serving.feed.source_table import Source
from serving.feed.sources.draw import draw
from serving.pipelined_redis import RedisCommands

MAX_LIKED, MAX_TOPICS = 10, 3


class TasteSource:
    """Reads the pools of recently liked posts: two round trips, whose size does not grow with the number of posts."""

    name = "taste"

    def __init__(self, redis: RedisCommands, rng: np.random.Generator) -> None:
        self._redis = redis
        self._rng = rng

    async def fetch(self, request: FeedRequest, limit: int) -> Candidates:
        """A random draw, half from neighbours and half from topics; empty without recent likes."""
        (liked,) = await self._redis.ask(("ZREVRANGE", liked_key(request.user_id), 0, MAX_LIKED - 1))
        if not liked:
            return Candidates.empty()
        posts, topics = zip(*(struct.unpack(LIKED_LAYOUT, one) for one in liked), strict=True)
        topics_liked = list(dict.fromkeys(topics))[:MAX_TOPICS]
        keys = [*map(neighbours_key, posts), *map(topic_key, topics_liked)]
        found = await self._redis.ask(*(("GET", key) for key in keys))  # not MGET: on a cluster, keys are on any node
        parts = []
        for pools, source in ((found[: len(posts)], Source.NEIGHBOURS), (found[len(posts) :], Source.TOPICS)):
            near = posts_of_pools(*pools)
            parts.append(Candidates.from_posts(near[draw(len(near), limit // 2, self._rng)], source))
        return Candidates.together(parts)
