"""One's own posts do not stand in one's own feed."""

from serving.feed.candidates import Candidates, Mask
from serving.feed.query import FeedQuery


class OwnPosts:
    """Leaves out the viewer's own posts."""

    reason = "own"

    def keep(self, query: FeedQuery, candidates: Candidates) -> Mask:
        """True for posts of others."""
        mask: Mask = candidates.author_ids != query.user_id
        return mask
