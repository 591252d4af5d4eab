"""What Redis remembers of a viewer: posts shown lately, and posts never to be shown again."""

from dataclasses import dataclass, field

import numpy as np

from photofeed.timelines import SEEN_FOR, hidden_key, seen_key
from serving.feed.candidates import Ids
from serving.pipelined_redis import PipelinedRedis


def _none() -> Ids:
    return np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True)
class History:
    """Ids of posts; none of either where it is not known."""

    seen: Ids = field(default_factory=_none)  # in the last day
    hidden: Ids = field(default_factory=_none)  # hidden or reported


class HistoryReader:
    """Reads it in one round trip."""

    def __init__(self, redis: PipelinedRedis) -> None:
        self._redis = redis

    async def read(self, user_id: int, seconds: float) -> History:
        """What is remembered of a person at a moment.

        Raises:
            redis.RedisError: it cannot be known.
        """
        since = seconds - SEEN_FOR.total_seconds()
        seen, hidden = await self._redis.ask(
            ("ZREVRANGEBYSCORE", seen_key(user_id), "+inf", since), ("SMEMBERS", hidden_key(user_id))
        )
        return History(np.array(seen, np.int64), np.array(list(hidden), np.int64))
