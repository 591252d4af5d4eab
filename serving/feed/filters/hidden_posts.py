"""Posts that the viewer has hidden or reported: never again."""

from typing import Any

import numpy as np

from photofeed.timelines import hidden_key
from serving.feed.candidates import Candidates, Mask
from serving.feed.query import FeedQuery


class HiddenPosts:
    """Leaves out posts the viewer does not want to see again."""

    reason = "hidden"

    def __init__(self, redis: Any) -> None:
        self._redis = redis

    async def keep(self, query: FeedQuery, candidates: Candidates) -> Mask:
        """True for posts not hidden."""
        hidden = await self._redis.smembers(hidden_key(query.user_id))
        mask: Mask = ~np.isin(candidates.post_ids, np.array([int(post) for post in hidden], dtype=np.int64))
        return mask
