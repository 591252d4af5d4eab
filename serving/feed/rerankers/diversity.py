"""Diversity: each further post of an author, of a topic, or of a content type loses a little of its score."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from photofeed.compiled import compiled
from serving.feed.candidates import Candidates, Ids, Mask, native
from serving.feed.id_kernel import occurrences
from serving.feed.rerankers import Ranking, Rows
from serving.feed.scorers import Scores

_NONE = -1
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # as in id_kernel.py: constants and callees must be in the file of a loop


@dataclass(frozen=True, slots=True)
class RepetitionPenalty:
    """The cost of repetition, in standard deviations of the scores.

    The second post of a group loses `step`. Each further post loses more: the added loss shrinks by the factor
    `shrink`. The total stays below step / (1 - shrink), so a post that is much better than all others is still shown.
    """

    step: float
    shrink: float


SAME_AUTHOR = RepetitionPenalty(step=0.5, shrink=0.7)
SAME_TOPIC = RepetitionPenalty(step=0.1, shrink=0.9)
SAME_KIND = RepetitionPenalty(step=0.03, shrink=0.97)


@dataclass(frozen=True, slots=True)
class Diversity:
    """Lowers the scores of repeated groups. With `across_slates`, recently seen posts of a group count as well."""

    name: str
    group: Callable[[Candidates], NDArray[np.generic]]
    cost: RepetitionPenalty
    across_slates: bool = False
    reason: str = "too many of the same"

    def apply(self, ranking: Ranking) -> Ranking:
        """The ranking with repetitions lowered. Explore posts are drawn at random, so they neither count nor lose."""
        explore = ranking.candidates.explore
        groups = self.group(ranking.candidates).astype(np.int64, copy=False)
        shown = ranking.exposures if self.across_slates else np.zeros(len(groups), np.int64)
        step, shrink = self.cost.step, self.cost.shrink
        return ranking.scored(diversify(ranking.scores, ranking.rows, explore, groups, shown, step, shrink))


AUTHORS = Diversity("author diversity", lambda candidates: candidates.author_ids, SAME_AUTHOR, across_slates=True)
TOPICS = Diversity("topic diversity", lambda candidates: candidates.topic_ids, SAME_TOPIC)
KINDS = Diversity("kind diversity", lambda candidates: candidates.reels, SAME_KIND)


def seen_by_author(authors: Ids, authors_of_seen: Ids) -> NDArray[np.int64]:
    """For each author, (n,), the number of seen posts by that author: int64 (n,)."""
    return occurrences(native(authors), native(authors_of_seen))


@compiled
def diversify(
    scores: Scores,
    rows: Rows,
    explore: Mask,
    groups: NDArray[np.int64],
    shown: NDArray[np.int64],
    step: float,
    shrink: float,
) -> Scores:
    """Scores in which the n-th best row of each group loses step * (1 + shrink + ...), n - 1 terms.

    The order of one group's posts among themselves stays.

    Args:
        scores: float64 (n,), finite.
        rows: indices of posts, best first.
        explore: bool (n,), posts that neither count nor lose.
        groups: int64 (n,), the author, topic or content type of each post.
        shown: int64 (n,), the number of posts of the group shown before this slate; they count as its first.
        step: the loss of the second post, in standard deviations of the scores of the posts that count.
        shrink: the factor by which the added loss shrinks with each further post.
    """
    counted, count = np.empty(len(rows), np.intp), 0
    for row in rows:
        counted[count] = row
        count += not explore[row]  # no branch: a processor cannot guess which posts are explore posts
    counted = counted[:count]
    lowered, repeated = scores.copy(), shown[counted] + _earlier(groups[counted])
    spread = np.std(scores[counted])
    losses = np.empty(repeated.max() + 1 if count else 0)
    for times in range(len(losses)):
        losses[times] = spread * step * (1 - shrink**times) / (1 - shrink)
    for rank in range(count):
        lowered[counted[rank]] -= losses[repeated[rank]]
    return lowered


@compiled
def _earlier(groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many earlier posts are of the group of each, (n,). A hash table counts them, as in id_kernel.py."""
    bits = 1
    while (1 << bits) < 2 * len(groups):
        bits += 1
    latest = np.full(1 << bits, _NONE, np.int32)  # slots that hold the latest post of a group
    earlier = np.zeros(len(groups), np.int64)
    for post in range(len(groups)):
        slot = np.int64((np.uint64(groups[post]) * _MULTIPLIER) >> np.uint64(64 - bits))
        while latest[slot] != _NONE and groups[latest[slot]] != groups[post]:
            slot = (slot + 1) & (len(latest) - 1)
        if latest[slot] != _NONE:
            earlier[post] = earlier[latest[slot]] + 1
        latest[slot] = post
    return earlier
