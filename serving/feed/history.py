"""The viewer's history in Redis: posts shown recently or never to be shown again, and what they turned away from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import structlog
from redis.exceptions import RedisError

from photofeed.timelines import SEEN_FOR, hidden_key, seen_key
from photofeed.turned_away import SkippedPost, skipped_key, unfollowed_key
from serving.feed.candidates import Ids, no_ids
from serving.feed.dislikes import Dislikes
from serving.pipelined_redis import RedisCommands

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class History:
    """Ids of posts, and dislikes; empty if the history cannot be read."""

    seen: Ids = field(default_factory=no_ids)  # within SEEN_FOR
    hidden: Ids = field(default_factory=no_ids)  # hidden or reported
    dislikes: Dislikes = field(default_factory=Dislikes)  # unfollows and quick skips


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
        seen, hidden, unfollowed, skipped = await self._redis.ask(
            ("ZREVRANGEBYSCORE", seen_key(user_id), "+inf", since),
            ("SMEMBERS", hidden_key(user_id)),
            ("ZRANGE", unfollowed_key(user_id), 0, -1, "WITHSCORES"),
            ("ZRANGE", skipped_key(user_id), 0, -1, "WITHSCORES"),
        )
        dislikes = Dislikes.turned_away(
            {int(author): moment for author, moment in _scored(unfollowed)},
            {SkippedPost.of(member): moment for member, moment in _scored(skipped)},
        )
        return History(np.array(seen, np.int64), np.array(list(hidden), np.int64), dislikes)

    async def read_if_available(self, user_id: int, seconds: float) -> History:
        """As `read`; empty if Redis does not answer."""
        try:
            return await self.read(user_id, seconds)
        except (RedisError, TimeoutError) as error:
            log.warning("history unavailable: seen and hidden posts are not filtered", error=repr(error))
            return History()


def _scored(members: Sequence[Any]) -> Iterator[tuple[bytes, float]]:
    """Members and scores of a sorted set, from a reply that alternates them."""
    for member, score in zip(members[::2], members[1::2], strict=True):
        yield member, float(score)
