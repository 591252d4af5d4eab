"""Why a feed looks as it does: every candidate with its source, features and score, what moved it, what dropped it."""

from dataclasses import dataclass, field
from typing import Any

from photofeed.features.ranking import FEATURE_NAMES
from photofeed.ids import encode_id
from serving.feed.candidates import Candidates, Mask, Source
from serving.feed.features import FeatureMatrix
from serving.feed.rerankers import Step, best_first
from serving.feed.scorers import Scores
from serving.feed.slate import SlateItems


@dataclass(slots=True)
class Explanation:
    """Filled by the feed path as it goes; costs nothing that ranking does not need anyway."""

    dropped: list[tuple[Candidates, str]] = field(default_factory=list)
    candidates: Candidates = field(default_factory=Candidates.empty)
    features: FeatureMatrix | None = None
    scores: Scores | None = None
    items: SlateItems | None = None
    skipped: tuple[str, ...] = ()
    repeats: int = 0  # posts of the slate that were seen lately, for want of others
    steps: list[Step] = field(default_factory=list)
    withheld: frozenset[int] = frozenset()  # posts of the page that may no longer be seen

    def drop(self, candidates: Candidates, kept: Mask, reason: str) -> None:
        """Note what a filter left out."""
        self.dropped.append((candidates.take(~kept), reason))

    def to_json(self) -> dict[str, Any]:
        """One entry a candidate: those in the slate by place, then the others by score, then the dropped ones.

        `rank` is the place that its score alone would give it, `moves` which rules changed that, from where to where.
        """
        moved = [(step.rule.name, step.moves) for step in self.steps]
        ranks = [] if self.scores is None else best_first(self.scores).argsort().tolist()
        outcomes = self._outcomes()
        ranked = [
            self._scored(row)
            | {"rank": ranks[row], "place": place, "outcome": outcome}
            | {"moves": [_move(rule, *moves[row]) for rule, moves in moved if row in moves]}
            for row, (place, outcome) in enumerate(outcomes)
        ]
        ranked.sort(key=lambda one: (one["place"] is None, one["place"] or 0, -one["score"]))
        dropped = [
            _identity(some, row) | {"place": None, "score": None, "outcome": f"dropped: {why}"}
            for some, why in self.dropped
            for row in range(len(some))
        ]
        return {
            "candidates": ranked + dropped,
            "featureNames": FEATURE_NAMES,
            "skippedSources": self.skipped,
            "repeats": self.repeats,
        }

    def _outcomes(self) -> list[tuple[int | None, str]]:
        """Of each ranked candidate: its place in the slate if it has one, and what became of it."""
        shown = self.items.post_ids.tolist() if self.items else []
        places = {post_id: place for place, post_id in enumerate(shown)}
        reasons = {row: step.rule.reason for step in self.steps for row in step.left_out.tolist()}
        outcomes: list[tuple[int | None, str]] = []
        for row, post_id in enumerate(self.candidates.post_ids.tolist()):
            if post_id not in places:
                outcomes.append((None, f"left out: {reasons.get(row, 'seen lately')}"))
            elif post_id in self.withheld:
                outcomes.append((places[post_id], "withheld: may not be seen any more"))
            else:
                outcomes.append((places[post_id], "in the slate"))
        return outcomes

    def _scored(self, row: int) -> dict[str, Any]:
        return _identity(self.candidates, row) | {
            "score": float(self.scores[row]) if self.scores is not None else 0.0,
            "features": self.features.values[row].tolist() if self.features else None,
        }


def _move(rule: str, before: int | None, after: int) -> dict[str, Any]:
    return {"rule": rule, "from": before, "to": after}


def _identity(candidates: Candidates, row: int) -> dict[str, Any]:
    return {
        "postId": encode_id(int(candidates.post_ids[row])),
        "authorId": encode_id(int(candidates.author_ids[row])),
        "source": Source(int(candidates.sources[row])).label,
        "pool": Source(int(candidates.sources[row])).pool,
    }
