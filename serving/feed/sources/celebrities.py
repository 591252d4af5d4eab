"""Celebrities followed: their latest posts are pulled when somebody looks, not delivered to millions."""

from typing import Any

from photofeed.timelines import author_key
from serving.feed.candidates import Candidates, Source
from serving.feed.query import FeedQuery


class CelebritySource:
    """Merges the latest posts of every followed celebrity."""

    name = "celebrity"

    def __init__(self, redis: Any) -> None:
        self._redis = redis

    async def fetch(self, query: FeedQuery, limit: int) -> Candidates:
        """An equal share of the limit from each."""
        if not query.celebrities:
            return Candidates.empty()
        share = max(1, limit // len(query.celebrities))
        pipeline = self._redis.pipeline(transaction=False)
        for author_id in sorted(query.celebrities):
            pipeline.zrange(author_key(author_id), 0, share - 1, desc=True)
        members = [member for latest in await pipeline.execute() for member in latest]
        return Candidates.from_members(members[:limit], Source.CELEBRITY)
