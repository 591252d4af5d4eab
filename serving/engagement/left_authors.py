"""Keeps the authors that people unfollowed, for the rule "shown less"."""

from collections.abc import Sequence

import structlog
from redis.exceptions import RedisError

from photofeed.events import ENDED_BY_OTHER, Action, EngagementEvent
from photofeed.turned_away import KEPT_SECONDS, UNFOLLOWED_LENGTH, unfollowed_key
from serving.pipelined_redis import RedisCommands

log = structlog.get_logger(__name__)


class LeftAuthors:
    """Writes unfollows to Redis, and removes them when the person follows the author again."""

    def __init__(self, redis: RedisCommands) -> None:
        self._redis = redis

    async def note(self, events: Sequence[EngagementEvent]) -> None:
        """Note the follows and unfollows among events, in order. Without Redis they are not noted."""
        commands: list[tuple[str | int | float, ...]] = []
        for event in events:
            key = unfollowed_key(event.user_id)
            if event.action is Action.FOLLOW:
                commands.append(("ZREM", key, event.creator_id))
            elif event.action is Action.UNFOLLOW and event.source != ENDED_BY_OTHER:
                commands.append(("ZADD", key, event.occurred_at.timestamp(), event.creator_id))
                commands.append(("ZREMRANGEBYRANK", key, 0, -UNFOLLOWED_LENGTH - 1))
                commands.append(("EXPIRE", key, KEPT_SECONDS))
        if not commands:
            return
        try:
            await self._redis.ask(*commands)
        except (RedisError, TimeoutError) as error:
            log.warning("unfollows not noted", error=repr(error))
