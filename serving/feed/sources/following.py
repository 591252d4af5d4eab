"""The viewer's timeline: posts of followed accounts below the celebrity threshold, written by fan-out."""

from photofeed.timelines import timeline_key
from serving.feed.candidates import Candidates
from serving.feed.query import FeedRequest
from serving.feed.source_table import Source
from serving.pipelined_redis import RedisCommands


class FollowingSource:
    """Reads the viewer's timeline, newest first."""

    name = "following"

    def __init__(self, redis: RedisCommands) -> None:
        self._redis = redis

    async def fetch(self, request: FeedRequest, limit: int) -> Candidates:
        """The newest posts of the timeline."""
        (members,) = await self._redis.ask(("ZREVRANGE", timeline_key(request.user_id), 0, limit - 1))
        return Candidates.from_members(members, Source.FOLLOWING)
