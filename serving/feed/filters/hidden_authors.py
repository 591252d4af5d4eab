"""Posts of muted people, and of people with a block in either direction."""

import numpy as np

from serving.feed.candidates import Candidates, Mask, among
from serving.feed.query import FeedQuery


class HiddenAuthors:
    """Removes posts of muted and blocked people."""

    reason = "muted_or_blocked"

    def keep(self, query: FeedQuery, candidates: Candidates) -> Mask:
        """True for posts of all other people."""
        mask: Mask = ~among(candidates.author_ids, np.fromiter(query.viewer.hidden, dtype=np.int64))
        return mask
