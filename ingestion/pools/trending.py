"""Trending posts: by the scores that the features worker maintains, among posts that everyone may see."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ingestion.pools.public_posts import members_of
from photofeed.database import Database
from photofeed.explore_pools import TRENDING_POOL_KEY, join_members
from photofeed.posts import decode_members
from photofeed.redis_client import RedisClient
from photofeed.timelines import TRENDING_POOL

LENGTH = 300


@dataclass(frozen=True, slots=True)
class Trending:
    """Posts with the highest score first. Scores need no update to decay: see `photofeed.timelines.trending_score`."""

    database: Database
    redis: RedisClient
    name: str = "trending"
    every_seconds: float = 15.0

    def build(self, now: datetime) -> Mapping[str, bytes]:  # noqa: ARG002  the scores carry their own time
        """One pool.

        Posts that were deleted, or that not everyone may see, lose their score. A like may be counted after its post
        was deleted.
        """
        scored = self.redis.zrange(TRENDING_POOL, 0, -1, desc=True)
        hottest = decode_members(scored)["post_id"].tolist()
        members = members_of(self.database, hottest)
        gone = [member for member, post in zip(scored, hottest, strict=True) if post not in members]
        if gone:
            self.redis.zrem(TRENDING_POOL, *gone)
        return {TRENDING_POOL_KEY: join_members([members[post] for post in hottest if post in members][:LENGTH])}
