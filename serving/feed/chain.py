"""The chain of slates of one feed: when a slate is used up, the next one is ranked without the posts used before.

The ids of these posts are stored beside each later slate and expire with it. A feed ends after MOST_SHOWN posts.
"""

import uuid

import numpy as np

from photofeed.errors import InvalidError
from serving.feed.candidates import Ids
from serving.feed.paging import Progress
from serving.feed.slate import EXPIRED, KEPT_SECONDS, Slate
from serving.pipelined_redis import RedisCommands

MOST_SHOWN = 10_000  # posts of one feed: 80 KB of ids


class ShownPosts:
    """Stores, for each slate after the first of a feed, the ids of the posts that earlier slates have used."""

    def __init__(self, redis: RedisCommands) -> None:
        self._redis = redis

    async def after(self, slate: Slate, progress: Progress) -> Ids:
        """The ids that the slate after this one leaves out: all used so far, except those held back by author spacing.

        Args:
            slate: used up by its pages.
            progress: after its last page.

        Raises:
            InvalidError: the ids have expired.
        """
        used = np.delete(slate.items.post_ids, np.array(progress.waiting, np.intp))
        if slate.feed_id is None:
            return used
        (stored,) = await self._redis.ask(("GET", _key(slate.id)))
        if stored is None:
            raise InvalidError(EXPIRED, code="cursor_expired")
        return np.concatenate([np.frombuffer(stored, "<i8"), used])

    async def keep(self, slate: Slate, shown: Ids) -> None:
        """Store the ids that a slate left out, for as long as the slate.

        Raises:
            redis.RedisError: they could not be stored.
        """
        await self._redis.ask(("SET", _key(slate.id), shown.astype("<i8").tobytes(), "EX", KEPT_SECONDS))

    async def extend(self, slate: Slate) -> None:
        """Extend the expiry of the stored ids after a page of their slate was requested.

        Raises:
            redis.RedisError: the expiry could not be set.
        """
        if slate.feed_id is not None:
            await self._redis.ask(("EXPIRE", _key(slate.id), KEPT_SECONDS))


def has_next(slate: Slate) -> bool:
    """Whether another slate may follow: some posts were left out, and the feed is shorter than MOST_SHOWN."""
    return bool(len(slate.items)) and not slate.complete and slate.earlier + len(slate.items) < MOST_SHOWN


def next_slate_id(slate: Slate, progress: Progress) -> str:
    """The id of the slate that follows. It is the same for each repeat of a request, so that repeats get one slate."""
    return str(uuid.uuid5(uuid.UUID(slate.id), f"{progress.shown} {progress.before} {progress.waiting}"))


def _key(slate_id: str) -> str:
    return f"shown:{slate_id}"
