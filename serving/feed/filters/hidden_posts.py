"""Posts that the viewer has hidden or reported."""

from serving.feed.candidates import Candidates, Mask, among
from serving.feed.query import FeedQuery


class HiddenPosts:
    """Removes posts that the viewer has hidden or reported, permanently."""

    reason = "hidden"

    def keep(self, query: FeedQuery, candidates: Candidates) -> Mask:
        """True for all other posts."""
        hidden, disliked = query.history.hidden, query.viewer.dislikes.post_ids
        mask: Mask = ~(among(candidates.post_ids, hidden) | among(candidates.post_ids, disliked))
        return mask
