"""Celebrities followed: their latest posts are pulled when somebody looks, not delivered to millions."""

from photofeed.timelines import author_key
from serving.feed.candidates import Candidates, Source
from serving.feed.query import FeedQuery
from serving.pipelined_redis import PipelinedRedis


class CelebritySource:
    """Merges the latest posts of every followed celebrity."""

    name = "celebrity"

    def __init__(self, redis: PipelinedRedis) -> None:
        self._redis = redis

    async def fetch(self, query: FeedQuery, limit: int) -> Candidates:
        """An equal share of the limit from each."""
        if not query.celebrities:
            return Candidates.empty()
        share = max(1, limit // len(query.celebrities))
        commands = [("ZREVRANGE", author_key(author_id), 0, share - 1) for author_id in sorted(query.celebrities)]
        members = [member for latest in await self._redis.ask(*commands) for member in latest]
        return Candidates.from_members(members[:limit], Source.CELEBRITY)
