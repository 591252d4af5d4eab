"""Posts that the viewer has hidden or reported: never again."""

from serving.feed.candidates import Candidates, Mask, among
from serving.feed.query import FeedQuery


class HiddenPosts:
    """Leaves out posts the viewer does not want to see again."""

    reason = "hidden"

    def keep(self, query: FeedQuery, candidates: Candidates) -> Mask:
        """True for posts not hidden."""
        mask: Mask = ~among(candidates.post_ids, query.history.hidden)
        return mask
