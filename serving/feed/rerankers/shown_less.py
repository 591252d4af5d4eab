"""Shown less: posts by authors, on topics, and of the look of posts that the viewer has hidden, reported or skipped.

Explore posts lose as well, before the explore slots are drawn, so their propensities stay true.
"""

import numpy as np
from numpy.typing import NDArray

from photofeed.arrays import FloatArray
from serving.feed.candidates import Candidates, Ids
from serving.feed.dislikes import Dislikes
from serving.feed.rerankers import Ranking
from serving.feed.rerankers.near_duplicates import MAX_DIFFERENT_BITS
from serving.feed.rerankers.order_kernel import descending

# The loss per hide in standard deviations of the scores.
AUTHOR_LOSS, TOPIC_LOSS, ALIKE_LOSS = 2.0, 0.3, 2.0
LARGEST_TOPIC_LOSS = 1.0  # a topic is broad: several hides of different authors must not remove it
# An author of this many hides, decayed, is left out while the slate has enough posts by others: two hides count for 12
# days, a report for 47.
LEFT_OUT_FROM = 1.5
ENOUGH_OTHERS = 30
BY_AUTHOR, OF_TOPIC = 1, 2  # flags of `dislike_flags`
FLAGGED_FROM = 1.0  # a hide


class ShownLess:
    """Lowers what resembles disliked posts, and leaves out authors with several posts that the viewer has hidden."""

    name = "shown less"
    reason = "by an author you have hidden"

    def apply(self, ranking: Ranking) -> Ranking:
        """The ranking with disliked authors, topics and looks lower."""
        dislikes = ranking.dislikes
        if not len(dislikes) or not len(ranking.scores):
            return ranking
        candidates, left = ranking.candidates, dislikes.left(ranking.seconds)
        by_author = _amounts(candidates.author_ids, dislikes.author_ids, left)
        of_topic = _amounts(candidates.topic_ids, np.where(dislikes.topic_ids > 0, dislikes.topic_ids, -1), left)
        loss = AUTHOR_LOSS * by_author + np.minimum(TOPIC_LOSS * of_topic, LARGEST_TOPIC_LOSS)
        loss += ALIKE_LOSS * _alike(candidates, dislikes, left)
        spread = float(np.std(ranking.scores)) or 1.0
        lowered = ranking.scored(ranking.scores - spread * loss)
        lowered = lowered._replace(repeats=descending(lowered.scores, lowered.repeats))
        away = by_author >= LEFT_OUT_FROM
        others = np.count_nonzero(~away[ranking.rows]) + np.count_nonzero(~away[ranking.repeats])
        if others >= ENOUGH_OTHERS:
            return lowered.without(away)
        return lowered.take(away[lowered.rows].argsort(kind="stable"))


def dislike_flags(candidates: Candidates, dislikes: Dislikes) -> NDArray[np.int8]:
    """Flags of each candidate, (n,): BY_AUTHOR and OF_TOPIC, if a disliked post has that author or topic.

    Quick skips are too weak to count.
    """
    if not len(dislikes):
        return np.zeros(len(candidates), np.int8)
    clear = dislikes.weights >= FLAGGED_FROM
    by_author = np.isin(candidates.author_ids, dislikes.author_ids[clear])
    of_topic = np.isin(candidates.topic_ids, dislikes.topic_ids[clear & (dislikes.topic_ids > 0)])
    flags: NDArray[np.int8] = (BY_AUTHOR * by_author + OF_TOPIC * of_topic).astype(np.int8)
    return flags


def _amounts(ids: Ids, disliked_ids: Ids, left: FloatArray) -> FloatArray:
    """The sum of `left`, (m,), over the disliked posts with the id of each candidate, (n,)."""
    known, index = np.unique(disliked_ids, return_inverse=True)
    sums = np.bincount(index, weights=left, minlength=len(known))
    at = np.minimum(known.searchsorted(ids), len(known) - 1)
    amounts: FloatArray = np.where(known[at] == ids, sums[at], 0.0)
    return amounts


def _alike(candidates: Candidates, dislikes: Dislikes, left: FloatArray) -> FloatArray:
    """The largest of `left` among the disliked posts that each candidate looks like, (n,); 0 if there is none."""
    seen = dislikes.hashes != 0
    if not seen.any():
        return np.zeros(len(candidates))
    different = np.bitwise_count((candidates.hashes[:, np.newaxis] ^ dislikes.hashes[seen]).view(np.uint64))
    is_alike = (different <= MAX_DIFFERENT_BITS) & (candidates.hashes != 0)[:, np.newaxis]
    largest: FloatArray = np.where(is_alike, left[seen], 0.0).max(axis=1)
    return largest
