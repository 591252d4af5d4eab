"""Reranking: rules about a slate as a whole, which no score of a single post can keep.

A rule is one file with one class: it takes a ranking and returns it with other scores (soft rules), or with fewer rows
or another order (hard rules). `rerank` applies them one after the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from serving.feed.candidates import Candidates
from serving.feed.scorers import Scores

Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Ranking:
    """A slate in the making.

    Attributes:
        candidates: the n posts there are.
        scores: float64 (n,), finite; soft rules change them.
        propensities: float64 (n,), 1 but of what a rule drew: with which probability it came to stand in its place.
        rows: places among the candidates, in the order they are to be shown; hard rules change them.
        repeats: places of posts seen lately, best first; not among the rows, and empty while there are others.
        exposures: int64 (n,), how many posts of its author the viewer was shown lately.
        seconds: the moment, since the epoch.
        shortest: slate that is worth opening.
    """

    candidates: Candidates
    scores: Scores
    propensities: NDArray[np.float64]
    rows: Rows
    repeats: Rows
    exposures: NDArray[np.int64]
    seconds: float
    shortest: int

    def scored(self, scores: Scores) -> Self:
        """The same posts with other scores, best first again."""
        return replace(self, scores=scores, rows=self.rows[best_first(scores[self.rows])])

    def take(self, places: Rows) -> Self:
        """The rows at these places of the order."""
        return replace(self, rows=self.rows[places])


def best_first(scores: Scores) -> Rows:
    """Places by falling score; equal scores keep their order."""
    order = (-scores).argsort()  # not stable, and with vectors four times as fast
    ordered = scores[order]
    if np.count_nonzero(ordered[1:] == ordered[:-1]):
        order = (-scores).argsort(kind="stable")
    return order


class Reranker(Protocol):
    """One rule."""

    @property
    def name(self) -> str:
        """What explanations call it."""

    @property
    def reason(self) -> str:
        """Why it leaves posts out."""

    def apply(self, ranking: Ranking) -> Ranking:
        """The ranking as the rule allows it."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one rule did to the order: found when somebody asks, which is seldom."""

    rule: Reranker
    before: Rows
    after: Rows

    @property
    def left_out(self) -> Rows:
        """Candidates that stood in the ranking before the rule and not after it."""
        return self.before[~np.isin(self.before, self.after)]

    @property
    def moves(self) -> dict[int, tuple[int | None, int]]:
        """Candidate -> where it stood before and after, of those that changed places; None: it was not there."""
        places = {row: place for place, row in enumerate(self.before.tolist())}
        now = enumerate(self.after.tolist())
        return {row: (places.get(row), place) for place, row in now if places.get(row) != place}


def rerank(ranking: Ranking, rules: Sequence[Reranker]) -> tuple[Ranking, list[Step]]:
    """The ranking after all rules, and what each of them did."""
    steps = []
    for rule in rules:
        before, ranking = ranking.rows, rule.apply(ranking)
        steps.append(Step(rule, before, ranking.rows))
    return ranking, steps


def warm(rules: Sequence[Reranker]) -> None:
    """Compile what the rules compile (seconds), or load it from numba's cache, so that no viewer waits for it."""
    none = Candidates.empty()
    rows = np.zeros(0, np.intp)
    rerank(Ranking(none, np.zeros(0), np.zeros(0), rows, rows, np.zeros(0, np.int64), 0.0, 0), rules)
