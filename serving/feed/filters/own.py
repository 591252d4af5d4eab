"""The viewer's own posts."""

from serving.feed.candidates import Candidates, Mask
from serving.feed.query import FeedQuery


class OwnPosts:
    """Removes the viewer's own posts."""

    reason = "own"

    def keep(self, query: FeedQuery, candidates: Candidates) -> Mask:
        """True for posts of other people."""
        mask: Mask = candidates.author_ids != query.user_id
        return mask
