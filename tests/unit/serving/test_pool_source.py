"""The shared explore pools: each viewer gets a share of each pool, and one read serves all viewers."""

import asyncio
from datetime import UTC, datetime
from typing import Any, cast

import numpy as np
import pytest

from photofeed.explore_pools import NEW_CREATORS_KEY, TRENDING_POOL_KEY
from photofeed.posts import PostRef
from photofeed.timelines import FRESH_POOL
from serving.feed.candidates import Candidates
from serving.feed.query import FeedRequest
from serving.feed.source_table import Source
from serving.feed.sources.pools import FRESH_DEPTH, PoolSource
from serving.pipelined_redis import RedisCommands

KEEP_SECONDS = 10.0


class Pools:
    """Redis with these pools; counts how often they are read."""

    def __init__(self, trending: int, new_creators: int, fresh: int) -> None:
        self._posts = {TRENDING_POOL_KEY: (1, trending), NEW_CREATORS_KEY: (1001, new_creators)}
        self._fresh = fresh
        self.reads = 0

    async def ask(self, *commands: tuple[Any, ...]) -> list[Any]:
        self.reads += 1
        return [self._answer(*command) for command in commands]

    def _answer(self, name: str, key: str, *span: int) -> Any:
        if name == "GET":
            first, count = self._posts[key]
            return b"".join(_members(first, count)) or None
        assert key == FRESH_POOL
        first, last = span
        return _members(2001, self._fresh)[first : last + 1]


def _members(first: int, count: int) -> list[bytes]:
    return [PostRef(post, post, 7, 0).member() for post in range(first, first + count)]


def _fetch(source: PoolSource, limit: int) -> Candidates:
    async def fetch() -> Candidates:
        request = FeedRequest(1, datetime.now(UTC), asyncio.get_running_loop().create_future())
        return await source.fetch(request, limit)

    return asyncio.run(fetch())


def _source(pools: Pools, moments: list[float]) -> PoolSource:
    rng = np.random.default_rng(0)
    return PoolSource(cast("RedisCommands", pools), rng, KEEP_SECONDS, clock=lambda: moments[0])


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ((100, 100, 100), (30, 30, 30)),
        ((5, 100, 100), (5, 30, 55)),
        ((0, 0, 100), (0, 0, 90)),
        ((100, 100, 10), (30, 30, 10)),
        ((0, 0, 0), (0, 0, 0)),
    ],
)
def test_each_pool_gives_a_third_and_fresh_posts_fill_up(
    sizes: tuple[int, int, int], expected: tuple[int, int, int]
) -> None:
    found = _fetch(_source(Pools(*sizes), [0.0]), 90)
    counts = [int((found.sources == source).sum()) for source in (Source.TRENDING, Source.NEW_CREATORS, Source.FRESH)]
    assert tuple(counts) == expected
    assert len(set(found.post_ids.tolist())) == len(found) == sum(expected)


def test_over_many_requests_every_post_of_the_pools_is_drawn() -> None:
    source = _source(Pools(20, 20, 20), [0.0])
    drawn = {post for _ in range(100) for post in _fetch(source, 6).post_ids.tolist()}
    assert len(drawn) == 60


def test_fresh_posts_are_drawn_from_the_newest_ones() -> None:
    found = _fetch(_source(Pools(0, 0, FRESH_DEPTH + 100), [0.0]), FRESH_DEPTH + 100)
    assert sorted(found.post_ids.tolist()) == list(range(2001, 2001 + FRESH_DEPTH))


def test_pools_are_read_once_for_all_viewers_and_again_when_they_are_old() -> None:
    pools, moments = Pools(20, 20, 20), [0.0]
    source = _source(pools, moments)
    for _ in range(5):
        _fetch(source, 6)
    assert pools.reads == 1
    moments[0] = KEEP_SECONDS + 0.1
    _fetch(source, 6)
    assert pools.reads == 2
