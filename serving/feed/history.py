"""The viewer's history in Redis: posts shown recently, and posts that are never to be shown again."""

from dataclasses import dataclass, field

import numpy as np
import structlog
from redis.exceptions import RedisError

from photofeed.timelines import SEEN_FOR, hidden_key, seen_key
from serving.feed.candidates import Ids, no_ids
from serving.pipelined_redis import RedisCommands

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class History:
    """Ids of posts; empty if the history cannot be read."""

    seen: Ids = field(default_factory=no_ids)  # within SEEN_FOR
    hidden: Ids = field(default_factory=no_ids)  # hidden or reported


class HistoryReader:
    """Reads the history in one round trip."""

    def __init__(self, redis: RedisCommands) -> None:
        self._redis = redis

    async def read(self, user_id: int, seconds: float) -> History:
        """The history of a viewer at a time, in seconds since the epoch.

        Raises:
            redis.RedisError: Redis did not answer.
        """
        since = seconds - SEEN_FOR.total_seconds()
        seen, hidden = await self._redis.ask(
            ("ZREVRANGEBYSCORE", seen_key(user_id), "+inf", since), ("SMEMBERS", hidden_key(user_id))
        )
        return History(np.array(seen, np.int64), np.array(list(hidden), np.int64))

    async def read_if_available(self, user_id: int, seconds: float) -> History:
        """As `read`; empty if Redis does not answer."""
        try:
            return await self.read(user_id, seconds)
        except (RedisError, TimeoutError) as error:
            log.warning("history unavailable: seen and hidden posts are not filtered", error=repr(error))
            return History()
