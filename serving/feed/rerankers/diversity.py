"""Nothing fills a feed alone: each further post of an author, on a topic, or of a kind counts a little less."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from photofeed.compiled import compiled
from serving.feed.candidates import Candidates, Ids, Mask
from serving.feed.rerankers import Ranking, Rows
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

    name: str
    group: Callable[[Candidates], NDArray[np.generic]]
    cost: Repetition
    across_slates: bool = False
    reason: str = "too many of the same"

    def apply(self, ranking: Ranking) -> Ranking:
        """The ranking with repetitions lower; explore is drawn, so its posts do not count here."""
        explore = ranking.candidates.explore
        groups = self.group(ranking.candidates).astype(np.int64, copy=False)
        shown = ranking.exposures * self.across_slates
        step, shrink = self.cost.step, self.cost.shrink
        return ranking.scored(diversify(ranking.scores, ranking.rows, explore, groups, shown, step, shrink))


AUTHORS = Diversity("author diversity", lambda candidates: candidates.author_ids, SAME_AUTHOR, across_slates=True)
TOPICS = Diversity("topic diversity", lambda candidates: candidates.topic_ids, SAME_TOPIC)
KINDS = Diversity("kind diversity", lambda candidates: candidates.reels, SAME_KIND)


def shown_lately(authors: Ids, seen: Mask) -> NDArray[np.int64]:
    """For each candidate, how many candidates of its author the viewer has seen lately: int64 (n,)."""
    shown = np.sort(authors[seen])
    return shown.searchsorted(authors, "right") - shown.searchsorted(authors, "left")


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
        rows: places of posts, best first.
        explore: bool (n,), which posts neither count nor lose.
        groups: int64 (n,), the author, topic or kind of each post.
        shown: int64 (n,), how many of the group were shown before this slate; they come before its best.
        step: what the second post loses, in standard deviations of the scores of those that count.
        shrink: how much of the loss before it each further one adds.
    """
    rows = rows[~explore[rows]]
    lowered, groups = scores.copy(), groups[rows]
    spread = np.std(scores[rows])
    for place in range(len(rows)):
        row = rows[place]
        repeated = shown[row]
        for better in range(place):  # vectors make this quicker than sorting, for as few as a feed has
            repeated += groups[better] == groups[place]
        lowered[row] -= spread * step * (1 - shrink**repeated) / (1 - shrink)
    return lowered
