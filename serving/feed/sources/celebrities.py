"""Celebrities followed: their latest posts are pulled when somebody looks, not delivered to millions."""

import asyncio

from photofeed.timelines import author_key
from serving.feed.candidates import Candidates, Source
from serving.feed.query import FeedRequest
from serving.pipelined_redis import PipelinedRedis


class CelebritySource:
    """Merges the latest posts of every followed celebrity."""

    name = "celebrity"

    def __init__(self, redis: PipelinedRedis) -> None:
        self._redis = redis

    async def fetch(self, request: FeedRequest, limit: int) -> Candidates:
        """An equal share of the limit from each, and of more celebrities than that the newest posts, newest first."""
        # shielded: too late for this source is not too late for the request
        celebrities = (await asyncio.shield(request.viewer)).celebrities
        if not celebrities:
            return Candidates.empty()
        share = max(1, limit // len(celebrities))
        commands = [("ZREVRANGE", author_key(author_id), 0, share - 1) for author_id in celebrities]
        members = [member for latest in await self._redis.ask(*commands) for member in latest]
        # a member begins with its post's id, and ids sort by time
        return Candidates.from_members(sorted(members, reverse=True)[:limit], Source.CELEBRITY)
