"""No two posts that look alike: of pictures whose perceptual hashes differ in few bits, the better-scored one stays."""

import numpy as np

from photofeed.compiled import compiled
from serving.feed.candidates import Ids, Mask
from serving.feed.rerankers import Ranking

# Of 64 bits. A copy that was resized or compressed again differs in at most a few, two different pictures in about 32;
# of pairs whose bits were thrown by coins, one in two hundred billion would come as close as this.
MOST_DIFFERENT_BITS = 6
_PAIRS, _FOURS, _EIGHTS, _ONES = (
    np.uint64(bits) for bits in (0x5555555555555555, 0x3333333333333333, 0x0F0F0F0F0F0F0F0F, 0x0101010101010101)
)


class NearDuplicates:
    """Leaves out posts that look like one that stands before them."""

    name = "near duplicates"
    reason = "looks like another post"

    def apply(self, ranking: Ranking) -> Ranking:
        """The ranking without them."""
        stay = distinct(ranking.candidates.hashes[ranking.rows])
        return ranking if stay.all() else ranking.take(np.flatnonzero(stay))


@compiled
def distinct(hashes: Ids) -> Mask:
    """Which hashes differ in more than MOST_DIFFERENT_BITS from every one kept before them.

    All are compared with all: the compiler makes eight comparisons of one, and 500 hashes take 20 us.

    Args:
        hashes: int64 (n,), best first; 0 where a picture's look is not known: it looks like no other.
    """
    stays = np.ones(len(hashes), np.bool_)
    kept = np.empty(len(hashes), np.uint64)
    count = 0
    for row in range(len(hashes)):
        look = np.uint64(hashes[row])
        alike = 0
        for other in range(count):
            if _ones(kept[other] ^ look) <= MOST_DIFFERENT_BITS:
                alike += 1
        stays[row] = not (look and alike)
        if look and not alike:
            kept[count] = look
            count += 1
    return stays


@compiled
def _ones(bits: np.uint64) -> np.uint64:
    """How many bits are set, in steps that LLVM knows for one instruction (Warren, Hacker's Delight, 5-1)."""
    bits -= (bits >> np.uint64(1)) & _PAIRS
    bits = (bits & _FOURS) + ((bits >> np.uint64(2)) & _FOURS)
    return (((bits + (bits >> np.uint64(4))) & _EIGHTS) * _ONES) >> np.uint64(56)
