"""Arrivals: how many posts of followed accounts are new since a slate was ranked, without ranking anything."""

import asyncio
from collections.abc import Sequence

import numpy as np

from serving.feed.candidates import Candidates, Ids, among
from serving.feed.query import FeedQuery, FeedRequest, Viewer
from serving.feed.slate import KEPT_SECONDS
from serving.feed.sources import CandidateSource
from serving.pipelined_redis import RedisCommands

DEPTH = 50  # newest posts compared: clients show "50+" for more


class Arrivals:
    """Stores, for each slate, the newest posts of the follow graph at the time of ranking.

    A post counts as new if it is among the newest posts now, was not then, and is newer than the oldest of them: an
    older post only moved up because others were deleted.
    """

    def __init__(self, redis: RedisCommands, sources: Sequence[CandidateSource]) -> None:
        self._redis = redis
        self._sources = sources

    async def note(self, slate_id: str, query: FeedQuery, candidates: Candidates) -> None:
        """Store the newest posts among the candidates of a slate, for as long as the slate.

        Raises:
            redis.RedisError: they could not be stored.
        """
        stored = np.concatenate([[query.user_id], newest(query.viewer, candidates)]).astype(np.int64)
        await self._redis.ask(("SET", _key(slate_id), stored.tobytes(), "EX", KEPT_SECONDS))

    async def extend(self, slate_id: str) -> None:
        """Extend the expiry of the stored posts after a page of their slate was requested.

        Raises:
            redis.RedisError: the expiry could not be set.
        """
        await self._redis.ask(("EXPIRE", _key(slate_id), KEPT_SECONDS))

    async def since(self, slate_id: str, request: FeedRequest) -> int | None:
        """The number of new posts since the viewer's slate, at most DEPTH per source; None if the slate expired.

        Raises:
            redis.RedisError: Redis did not answer.
        """
        viewer, (stored,) = await asyncio.gather(request.viewer, self._redis.ask(("GET", _key(slate_id))))
        owner_and_posts = np.frombuffer(stored or b"", np.int64)
        if not len(owner_and_posts) or owner_and_posts[0] != request.user_id:
            return None
        before = owner_and_posts[1:]
        found = await asyncio.gather(*(source.fetch(request, DEPTH) for source in self._sources))
        now = newest(viewer, Candidates.merge(found))
        new = now[~among(now, before)]
        return int((new > before.min()).sum()) if len(before) else len(new)


def newest(viewer: Viewer, candidates: Candidates) -> Ids:
    """The newest posts of the follow graph, except those of muted or blocked people: at most DEPTH, newest first."""
    hidden = among(candidates.author_ids, np.fromiter(viewer.hidden, np.int64))
    posts = candidates.post_ids[~candidates.explore & ~hidden]
    return np.sort(posts)[::-1][:DEPTH]


def _key(slate_id: str) -> str:
    return f"newest:{slate_id}"
