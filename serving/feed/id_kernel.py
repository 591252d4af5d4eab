"""Compiled loops over ids: which are among others, how often, the best row of each id, and which posts are ranked.

numpy answers such questions by sorting. A feed asks a dozen of them about a few hundred ids each.

The loops share a hash table with open addressing: slots that hold the row of an id, at most half of them in use.
"""

import numpy as np
from numpy.typing import NDArray

from photofeed.compiled import compiled

_FREE = -1
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # 2**64 divided by the golden ratio: spreads ids that count up (Knuth)


@compiled
def contained(ids: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of `ids`, (n,), are among `others`, (m,): bool (n,)."""
    slots, shift = _free_slots(len(others))
    for row in range(len(others)):
        slots[_slot(others[row], others, slots, shift)] = row
    found = np.empty(len(ids), np.bool_)
    for row in range(len(ids)):
        found[row] = slots[_slot(ids[row], others, slots, shift)] != _FREE
    return found


@compiled
def occurrences(ids: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.int64]:
    """How often each of `ids`, (n,), occurs among `others`, (m,): int64 (n,)."""
    slots, shift = _free_slots(len(others))
    counts = np.zeros(len(slots), np.int64)
    for row in range(len(others)):
        slot = _slot(others[row], others, slots, shift)
        slots[slot] = row
        counts[slot] += 1
    found = np.empty(len(ids), np.int64)
    for row in range(len(ids)):
        found[row] = counts[_slot(ids[row], others, slots, shift)]
    return found


@compiled
def best_of_each(ids: NDArray[np.int64], ranks: NDArray[np.int64]) -> NDArray[np.int64]:
    """The row of the lowest rank of each id, the first of equals. Ids and ranks are (n,). Rows ascend."""
    slots, shift = _free_slots(len(ids))
    best = np.zeros(len(ids), np.bool_)
    for row in range(len(ids)):
        slot = _slot(ids[row], ids, slots, shift)
        before = slots[slot]
        if before != _FREE and ranks[before] <= ranks[row]:
            continue
        if before != _FREE:
            best[before] = False
        slots[slot] = row
        best[row] = True
    return np.flatnonzero(best)


@compiled
def ranked_rows(
    posts: NDArray[np.int64], authors: NDArray[np.int64], explore: NDArray[np.bool_], limit: int
) -> NDArray[np.int64]:
    """The rows of at most `limit` posts: explore posts, and in the rest of the limit the newest of the others.

    Explore posts by authors of the others are left out. All arguments are (n,), and posts are distinct. Rows ascend.
    """
    others = np.flatnonzero(~explore)
    slots, shift = _free_slots(len(others))
    for row in others:
        slots[_slot(authors[row], authors, slots, shift)] = row
    kept = ~explore
    room = limit
    for row in np.flatnonzero(explore):
        kept[row] = slots[_slot(authors[row], authors, slots, shift)] == _FREE
        room -= kept[row]
    room = max(room, 0)
    if room < len(others):
        newest = np.sort(posts[others])[len(others) - room :]
        for row in others:
            kept[row] = room and posts[row] >= newest[0]
    return np.flatnonzero(kept)


@compiled
def _free_slots(count: int) -> tuple[NDArray[np.int32], np.uint64]:
    """Slots for `count` ids, a power of two, and by how many bits the hash of an id is shifted to get its slot."""
    bits = 1
    while (1 << bits) < 2 * count:
        bits += 1
    return np.full(1 << bits, _FREE, np.int32), np.uint64(64 - bits)


@compiled
def _slot(wanted: np.int64, ids: NDArray[np.int64], slots: NDArray[np.int32], shift: np.uint64) -> np.int64:
    """The slot that holds a row of this id in `ids`, or the free one for it."""
    slot = np.int64((np.uint64(wanted) * _MULTIPLIER) >> shift)
    while slots[slot] != _FREE and ids[slots[slot]] != wanted:
        slot = (slot + 1) & (len(slots) - 1)
    return slot


def warm() -> None:
    """Compile the loops (seconds) or load them from numba's cache, so that no request waits for it."""
    none = np.zeros(0, np.int64)
    contained(none, none)
    occurrences(none, none)
    best_of_each(none, none)
    ranked_rows(none, none, np.zeros(0, np.bool_), 0)
