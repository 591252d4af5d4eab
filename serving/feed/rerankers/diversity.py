"""Nothing fills a feed alone: each further post of an author, or on a topic, counts a little less."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serving.feed.candidates import Ids
from serving.feed.scorers import Scores


@dataclass(frozen=True, slots=True)
class Repetition:
    """What repetition costs, in standard deviations of the scores.

    The second post loses `step`, and each further one `shrink` times as much more as the one before it. The sum stays
    below step / (1 - shrink), so a post that is much better than all others still shows.
    """

    step: float
    shrink: float


SAME_AUTHOR = Repetition(step=0.5, shrink=0.7)
SAME_TOPIC = Repetition(step=0.1, shrink=0.9)


def diversify(scores: Scores, groups: Ids, cost: Repetition) -> Scores:
    """Scores in which the best post of each group keeps its own and the n-th loses step * (1 + shrink + ...).

    The order of one group's posts among themselves stays.

    Args:
        scores: float64 (n,), finite.
        groups: int64 (n,), the author or topic of each post.
        cost: of each repetition.
    """
    if not len(scores):
        return scores
    loss = cost.step * (1 - cost.shrink ** _occurrence(scores, groups)) / (1 - cost.shrink)
    return scores - loss * float(np.std(scores))


def _occurrence(scores: Scores, groups: Ids) -> NDArray[np.int64]:
    """For each post how many better ones its group has."""
    order = np.lexsort((-scores, groups))
    place = np.arange(len(order))
    is_first = np.ones(len(order), dtype=bool)
    is_first[1:] = groups[order][1:] != groups[order][:-1]
    occurrence = np.empty(len(order), dtype=np.int64)
    occurrence[order] = place - np.maximum.accumulate(np.where(is_first, place, 0))
    return occurrence
