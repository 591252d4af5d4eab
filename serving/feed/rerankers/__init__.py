"""Reranking: rules about the slate as a whole, which scores of single posts cannot express.

A rule is one file with one class. Soft rules change the scores of a ranking; hard rules remove or reorder its rows.
`rerank` applies the rules in order.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from serving.feed.candidates import Candidates, Mask
from serving.feed.dislikes import Dislikes
from serving.feed.rerankers.order_kernel import descending
from serving.feed.scorers import Scores

Rows = NDArray[np.intp]


class Ranking(NamedTuple):
    """A slate being ranked. A tuple, because rules make six of them for every feed.

    Attributes:
        candidates: n posts.
        scores: float64 (n,), finite; soft rules change them.
        propensities: float64 (n,), the probability with which a post was drawn for its slot; 1 if it was not drawn.
        rows: indices of candidates in the order in which they are to be shown; hard rules change them.
        repeats: indices of recently seen candidates, best first, none of them in `rows`; empty if others are enough.
        exposures: int64 (n,), the number of posts by the same author that the viewer recently saw.
        seconds: the time of the request, since the epoch.
        shortest: the shortest slate that is worth showing.
        dislikes: the posts that the viewer has hidden or reported.
    """

    candidates: Candidates
    scores: Scores
    propensities: NDArray[np.float64]
    rows: Rows
    repeats: Rows
    exposures: NDArray[np.int64]
    seconds: float
    shortest: int
    dislikes: Dislikes = Dislikes()

    def scored(self, scores: Scores) -> Self:
        """The same posts with new scores, sorted by them; equal scores keep their order."""
        return self._replace(scores=scores, rows=descending(scores, self.rows))

    def take(self, indices: Rows) -> Self:
        """The ranking with only these of its rows, in this order."""
        return self._replace(rows=self.rows[indices])

    def without(self, away: Mask) -> Self:
        """The ranking without the candidates `away`, bool (n,), and not as repeats either."""
        return self._replace(rows=self.rows[~away[self.rows]], repeats=self.repeats[~away[self.repeats]])


def best_first(scores: Scores) -> Rows:
    """Indices by descending score; equal scores keep their order."""
    return descending(scores, np.arange(len(scores)))


class Reranker(Protocol):
    """One rule."""

    @property
    def name(self) -> str:
        """The rule's name in explanations."""

    @property
    def reason(self) -> str:
        """The reason that explanations give for posts it removes."""

    def apply(self, ranking: Ranking) -> Ranking:
        """The ranking after the rule."""


class Step(NamedTuple):
    """The rows before and after one rule; what changed is computed only for explanations."""

    rule: Reranker
    before: Rows
    after: Rows

    @property
    def left_out(self) -> Rows:
        """Indices of the candidates that the rule removed."""
        return self.before[~np.isin(self.before, self.after)]

    @property
    def moves(self) -> dict[int, tuple[int | None, int]]:
        """Candidate -> its position before and after the rule, if they differ; None if the rule added it."""
        before = {row: position for position, row in enumerate(self.before.tolist())}
        after = enumerate(self.after.tolist())
        return {row: (before.get(row), position) for position, row in after if before.get(row) != position}


def rerank(ranking: Ranking, rules: Sequence[Reranker]) -> tuple[Ranking, list[Step]]:
    """The ranking after all rules, and the step of each rule."""
    steps = []
    for rule in rules:
        before, ranking = ranking.rows, rule.apply(ranking)
        steps.append(Step(rule, before, ranking.rows))
    return ranking, steps


def warm(rules: Sequence[Reranker]) -> None:
    """Compile the rules' loops (seconds) or load them from numba's cache, so that no request waits for it."""
    none = Candidates.empty()
    rows = np.zeros(0, np.intp)
    rerank(Ranking(none, np.zeros(0), np.zeros(0), rows, rows, np.zeros(0, np.int64), 0.0, 0), rules)
