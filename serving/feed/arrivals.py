"""Arrivals: whether there are new posts of whom one follows since a slate was decided, without ranking anything."""

import asyncio
from collections.abc import Sequence

import numpy as np

from serving.feed.candidates import Candidates, Ids, among
from serving.feed.query import FeedQuery, FeedRequest, Viewer
from serving.feed.slate import KEPT_SECONDS
from serving.feed.sources import CandidateSource
from serving.pipelined_redis import PipelinedRedis

DEPTH = 50  # newest posts compared: an app says "50+" all the same


class Arrivals:
    """Keeps, beside each slate, the newest posts that there were in the follow graph when it was decided.

    Posts count as new that are among the newest now and were not then, unless they are older than all of those: they
    only moved up because others were deleted.
    """

    def __init__(self, redis: PipelinedRedis, sources: Sequence[CandidateSource]) -> None:
        self._redis = redis
        self._sources = sources

    async def note(self, slate_id: str, query: FeedQuery, candidates: Candidates) -> None:
        """Keep what is newest among the candidates of a slate, for as long as the slate.

        Raises:
            redis.RedisError: it could not be kept.
        """
        kept = np.concatenate([[query.user_id], newest(query.viewer, candidates)]).astype(np.int64)
        await self._redis.ask(("SET", _key(slate_id), kept.tobytes(), "EX", KEPT_SECONDS))

    async def keep_on(self, slate_id: str) -> None:
        """Keep what was noted on for as long as its slate, a page of which was turned.

        Raises:
            redis.RedisError: it could not be kept.
        """
        await self._redis.ask(("EXPIRE", _key(slate_id), KEPT_SECONDS))

    async def since(self, slate_id: str, request: FeedRequest) -> int | None:
        """How many posts are new since the viewer's slate, at most DEPTH a source; None if it is no longer kept.

        Raises:
            redis.RedisError: it cannot be known.
        """
        viewer, (kept,) = await asyncio.gather(request.viewer, self._redis.ask(("GET", _key(slate_id))))
        known = np.frombuffer(kept or b"", np.int64)
        if not len(known) or known[0] != request.user_id:
            return None
        found = await asyncio.gather(*(source.fetch(request, DEPTH) for source in self._sources))
        now = newest(viewer, Candidates.merge(found))
        fresh = now[~among(now, known[1:])]
        return int((fresh > known[1:].min()).sum()) if len(known) > 1 else len(fresh)


def newest(viewer: Viewer, candidates: Candidates) -> Ids:
    """The newest posts of the follow graph, but of people muted or blocked: at most DEPTH, newest first."""
    hidden = among(candidates.author_ids, np.fromiter(viewer.hidden, np.int64))
    posts = candidates.post_ids[~candidates.explore & ~hidden]
    return np.sort(posts)[::-1][:DEPTH]


def _key(slate_id: str) -> str:
    return f"newest:{slate_id}"
