"""Posts of followed celebrities: pulled when a feed is requested instead of written to millions of timelines."""

import asyncio

from photofeed.timelines import author_key
from serving.feed.candidates import Candidates
from serving.feed.query import FeedRequest
from serving.feed.source_table import Source
from serving.pipelined_redis import RedisCommands


class CelebritySource:
    """Merges the newest posts of every followed celebrity."""

    name = "celebrity"

    def __init__(self, redis: RedisCommands) -> None:
        self._redis = redis

    async def fetch(self, request: FeedRequest, limit: int) -> Candidates:
        """Newest first: an equal share of the limit per celebrity; of more celebrities than that, the newest posts."""
        # shielded: a time-out of this source must not cancel the viewer look-up of the request
        celebrities = (await asyncio.shield(request.viewer)).celebrities
        if not celebrities:
            return Candidates.empty()
        share = max(1, limit // len(celebrities))
        commands = [("ZREVRANGE", author_key(author_id), 0, share - 1) for author_id in celebrities]
        members = [member for latest in await self._redis.ask(*commands) for member in latest]
        # a member starts with the post's id, and ids sort by time
        return Candidates.from_members(sorted(members, reverse=True)[:limit], Source.CELEBRITY)
