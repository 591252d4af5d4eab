"""One author does not fill a feed: each further post of theirs counts a little less."""

import numpy as np
from numpy.typing import NDArray

from serving.feed.candidates import Ids
from serving.feed.scorers import Scores

# In standard deviations of the scores: what an author's second post loses, and how the loss of further ones shrinks.
# The sum stays below STEP / (1 - SHRINK) = 1.7, so a post that is much better than all others still shows.
STEP, SHRINK = 0.5, 0.7


def diversify_authors(scores: Scores, authors: Ids) -> Scores:
    """Scores in which an author's best post keeps its score and the n-th loses STEP * (1 + SHRINK + ... ) deviations.

    The order of one author's posts among themselves stays.

    Args:
        scores: float64 (n,), finite.
        authors: int64 (n,).
    """
    if not len(scores):
        return scores
    repeats = _occurrence(scores, authors)
    loss = STEP * (1 - SHRINK**repeats) / (1 - SHRINK)
    return scores - loss * float(np.std(scores))


def _occurrence(scores: Scores, authors: Ids) -> NDArray[np.int64]:
    """For each post how many better ones its author has."""
    order = np.lexsort((-scores, authors))
    place = np.arange(len(order))
    is_first = np.ones(len(order), dtype=bool)
    is_first[1:] = authors[order][1:] != authors[order][:-1]
    occurrence = np.empty(len(order), dtype=np.int64)
    occurrence[order] = place - np.maximum.accumulate(np.where(is_first, place, 0))
    return occurrence
