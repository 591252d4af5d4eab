"""Taste: candidates from the pools of recently liked posts and of their topics."""

import asyncio
import struct
from datetime import UTC, datetime
from typing import Any, cast

import numpy as np

from photofeed.explore_pools import LIKED_LAYOUT, liked_key, neighbours_key, topic_key
from photofeed.posts import PostRef
from serving.feed.candidates import Candidates
from serving.feed.query import FeedRequest
from serving.feed.source_table import Source
from serving.feed.sources.taste import MAX_LIKED, MAX_TOPICS, TasteSource
from serving.pipelined_redis import RedisCommands

VIEWER = 5
POOL_SIZE = 40


class Pools:
    """Redis with likes, oldest first, and a pool of POOL_SIZE posts for every post and topic."""

    def __init__(self, *liked: tuple[int, int]) -> None:
        self._liked = [struct.pack(LIKED_LAYOUT, post, topic) for post, topic in liked]
        self.keys: tuple[str, ...] = ()

    async def ask(self, *commands: tuple[Any, ...]) -> list[Any]:
        if commands[0][0] == "ZREVRANGE":
            ((_, key, first, last),) = commands
            assert key == liked_key(VIEWER)
            return [self._liked[::-1][first : last + 1]]
        assert {name for name, _ in commands} == {"GET"}
        self.keys = tuple(key for _, key in commands)
        return [_pool(number) for number in range(len(self.keys))]


def _pool(number: int) -> bytes:
    first = 1000 * (number + 1)
    return b"".join(PostRef(post, post, 7, 0).member() for post in range(first, first + POOL_SIZE))


def _fetch(pools: Pools, limit: int = 50) -> Candidates:
    async def fetch() -> Candidates:
        request = FeedRequest(VIEWER, datetime.now(UTC), asyncio.get_running_loop().create_future())
        source = TasteSource(cast("RedisCommands", pools), np.random.default_rng(0))
        return await source.fetch(request, limit)

    return asyncio.run(fetch())


def test_half_of_the_candidates_are_neighbours_and_half_are_on_liked_topics() -> None:
    found = _fetch(Pools((1, 71), (2, 72)))
    for source, numbers in ((Source.NEIGHBOURS, {1, 2}), (Source.TOPICS, {3, 4})):
        posts = found.post_ids[found.sources == source]
        assert len(posts) == 25
        assert set((posts // 1000).tolist()) == numbers


def test_the_pools_are_those_of_the_newest_likes_and_their_topics() -> None:
    pools = Pools(*((post, 70 + post // 2) for post in range(1, 21)))
    _fetch(pools)
    posts = range(20, 20 - MAX_LIKED, -1)
    topics = list(dict.fromkeys(70 + post // 2 for post in posts))[:MAX_TOPICS]
    assert pools.keys == (*map(neighbours_key, posts), *map(topic_key, topics))


def test_without_likes_there_are_no_candidates() -> None:
    pools = Pools()
    assert len(_fetch(pools)) == 0
    assert pools.keys == ()
