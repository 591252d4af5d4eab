"""The follower timeline: posts of normal accounts, delivered on publish."""

from photofeed.timelines import timeline_key
from serving.feed.candidates import Candidates, Source
from serving.feed.query import FeedRequest
from serving.pipelined_redis import PipelinedRedis


class FollowingSource:
    """Reads the timeline that fan-out wrote, newest first."""

    name = "following"

    def __init__(self, redis: PipelinedRedis) -> None:
        self._redis = redis

    async def fetch(self, request: FeedRequest, limit: int) -> Candidates:
        """The newest posts of the timeline."""
        (members,) = await self._redis.ask(("ZREVRANGE", timeline_key(request.user_id), 0, limit - 1))
        return Candidates.from_members(members, Source.FOLLOWING)
