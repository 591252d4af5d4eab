"""Posts that the viewer was shown lately."""

from datetime import timedelta
from typing import Any

import numpy as np

from photofeed.timelines import seen_key
from serving.feed.candidates import Candidates, Ids, Mask
from serving.feed.query import FeedQuery

SEEN_FOR = timedelta(hours=24)


class SeenPosts:
    """Leaves out posts seen in the last day: only where nothing else is left do they come back."""

    reason = "seen"

    def __init__(self, redis: Any) -> None:
        self._redis = redis

    async def keep(self, query: FeedQuery, candidates: Candidates) -> Mask:
        """True for posts not seen lately."""
        mask: Mask = ~np.isin(candidates.post_ids, await self.lately(query))
        return mask

    async def lately(self, query: FeedQuery) -> Ids:
        """The posts seen in the last day."""
        since = query.seconds - SEEN_FOR.total_seconds()
        seen = await self._redis.zrange(seen_key(query.user_id), "+inf", since, byscore=True, desc=True)
        return np.array([int(post) for post in seen], dtype=np.int64)
