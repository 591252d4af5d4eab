"""No two posts that look alike: of pictures whose perceptual hashes differ in few bits, the better-scored one stays."""

import numpy as np

from serving.feed.candidates import Ids, Mask
from serving.feed.rerankers import Ranking

# Of 64 bits. A copy that was resized or compressed again differs in at most a few, two different pictures in about 32;
# of pairs whose bits were thrown by coins, one in two hundred billion would come as close as this.
MOST_DIFFERENT_BITS = 6
_BLOCK = 128  # rows compared at once: below the diagonal only, in memory that stays in the cache


class NearDuplicates:
    """Leaves out posts that look like one that stands before them."""

    reason = "looks like another post"

    def apply(self, ranking: Ranking) -> Ranking:
        """The ranking without them."""
        return ranking.take(np.flatnonzero(distinct(ranking.candidates.hashes[ranking.rows])))


def distinct(hashes: Ids) -> Mask:
    """Which hashes differ in more than MOST_DIFFERENT_BITS from every one kept before them.

    Args:
        hashes: int64 (n,), best first; 0 where a picture's look is not known: it looks like no other.
    """
    known = np.flatnonzero(hashes)
    looks = hashes[known].view(np.uint64)  # numpy counts the bits of absolute values
    kept = np.ones(len(looks), np.bool_)
    for start in range(0, len(looks), _BLOCK):
        block = looks[start : start + _BLOCK, None]
        alike = np.bitwise_count(block ^ looks[None, : start + _BLOCK]) <= MOST_DIFFERENT_BITS
        if np.count_nonzero(alike) == len(block):
            continue  # every picture is like itself, and here like nothing else: so it is nearly always
        for row in np.flatnonzero(alike.sum(axis=1) > 1).tolist():
            place = start + row
            kept[place] = not (alike[row, :place] & kept[:place]).any()
    stays = np.ones(len(hashes), np.bool_)
    stays[known] = kept
    return stays
