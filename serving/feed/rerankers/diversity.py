"""Nothing fills a feed alone: each further post of an author, on a topic, or of a kind counts a little less."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serving.feed.candidates import Candidates, Ids, Mask
from serving.feed.rerankers import Ranking
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
SAME_KIND = Repetition(step=0.03, shrink=0.97)


@dataclass(frozen=True, slots=True)
class Diversity:
    """Lowers what repeats a group. With `across_slates`, posts of it that were shown lately count as repeated too."""

    group: Callable[[Candidates], NDArray[np.generic]]
    cost: Repetition
    across_slates: bool = False
    reason: str = "too many of the same"

    def apply(self, ranking: Ranking) -> Ranking:
        """The ranking with repetitions lower; explore is drawn, so its posts do not count here."""
        graph = ranking.rows[~ranking.candidates.explore[ranking.rows]]
        groups = self.group(ranking.candidates)[graph].astype(np.int64)
        shown = ranking.exposures[graph] if self.across_slates else np.zeros(len(graph), np.int64)
        scores = ranking.scores.copy()
        scores[graph] = diversify(scores[graph], groups, self.cost, shown)
        return ranking.scored(scores)


AUTHORS = Diversity(lambda candidates: candidates.author_ids, SAME_AUTHOR, across_slates=True)
TOPICS = Diversity(lambda candidates: candidates.topic_ids, SAME_TOPIC)
KINDS = Diversity(lambda candidates: candidates.reels, SAME_KIND)


def shown_lately(authors: Ids, seen: Mask) -> NDArray[np.int64]:
    """For each candidate, how many candidates of its author the viewer has seen lately: int64 (n,)."""
    _, author = np.unique(authors, return_inverse=True)
    return np.bincount(author, weights=seen).astype(np.int64)[author]


def diversify(scores: Scores, groups: Ids, cost: Repetition, shown: NDArray[np.int64]) -> Scores:
    """Scores in which the n-th best post of each group loses step * (1 + shrink + ...), n terms.

    The order of one group's posts among themselves stays.

    Args:
        scores: float64 (n,), finite.
        groups: int64 (n,), the author, topic or kind of each post.
        cost: of each repetition.
        shown: int64 (n,), how many of the group were shown before this slate; they come before its best.
    """
    if not len(scores):
        return scores
    loss = cost.step * (1 - cost.shrink ** (_occurrence(scores, groups) + shown)) / (1 - cost.shrink)
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
