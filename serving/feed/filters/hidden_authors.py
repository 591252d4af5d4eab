"""People muted, or blocked in either direction."""

import numpy as np

from serving.feed.candidates import Candidates, Mask, among
from serving.feed.query import FeedQuery


class HiddenAuthors:
    """Leaves out posts of muted and blocked people."""

    reason = "muted_or_blocked"

    def keep(self, query: FeedQuery, candidates: Candidates) -> Mask:
        """True for posts of everybody else."""
        mask: Mask = ~among(candidates.author_ids, np.fromiter(query.viewer.hidden, dtype=np.int64))
        return mask
