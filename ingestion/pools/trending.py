"""What trends: the scores that the features worker keeps, of posts that everyone may see."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ingestion.pools.public_posts import members_of
from photofeed.database import Database
from photofeed.explore_pools import TRENDING_POOL_KEY, join_members
from photofeed.posts import decode_members
from photofeed.timelines import TRENDING_POOL, RedisClient

LENGTH = 300


@dataclass(frozen=True, slots=True)
class Trending:
    """The hottest posts first. Scores decay by themselves: see `photofeed.timelines.trending_score`."""

    database: Database
    redis: RedisClient
    name: str = "trending"
    every_seconds: float = 15.0

    def build(self, now: datetime) -> Mapping[str, bytes]:  # noqa: ARG002  the scores carry their own time
        """One pool.

        What not everybody may see, or is no longer there, loses its score too: a like may be counted after a post is
        deleted.
        """
        scored = self.redis.zrange(TRENDING_POOL, 0, -1, desc=True)
        hottest = decode_members(scored)["post_id"].tolist()
        members = members_of(self.database, hottest)
        gone = [member for member, post in zip(scored, hottest, strict=True) if post not in members]
        if gone:
            self.redis.zrem(TRENDING_POOL, *gone)
        return {TRENDING_POOL_KEY: join_members([members[post] for post in hottest if post in members][:LENGTH])}
