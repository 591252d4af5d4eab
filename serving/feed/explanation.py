"""The explanation of a feed: each candidate's source, features, score, moves by rules, and outcome."""

from dataclasses import dataclass, field
from typing import Any

from photofeed.ids import encode_id
from serving.feed.candidates import Candidates, Mask
from serving.feed.features import FeatureMatrix
from serving.feed.rerankers import Step, best_first
from serving.feed.scorers import Scores
from serving.feed.slate import SlateItems
from serving.feed.source_table import SOURCES


@dataclass(slots=True)
class Explanation:
    """Filled by the stages of the feed path; it holds only references to what ranking computes anyway."""

    dropped: list[tuple[Candidates, str]] = field(default_factory=list)
    candidates: Candidates = field(default_factory=Candidates.empty)
    features: FeatureMatrix | None = None
    scores: Scores | None = None
    items: SlateItems | None = None
    skipped: tuple[str, ...] = ()
    repeats: int = 0  # recently seen posts in the slate, because there are too few others
    steps: list[Step] = field(default_factory=list)
    withheld: frozenset[int] = frozenset()  # posts of the page that may no longer be seen

    def drop(self, candidates: Candidates, kept: Mask, reason: str) -> None:
        """Record the candidates that a filter removed."""
        self.dropped.append((candidates.take(~kept), reason))

    def left_out(self) -> dict[int, str]:
        """Post id -> why it is not in the slate: the reason of a filter or of a rule."""
        reasons = {int(post): why for some, why in self.dropped for post in some.post_ids}
        for step in self.steps:
            reasons |= dict.fromkeys(self.candidates.post_ids[step.left_out].tolist(), step.rule.reason)
        return reasons

    def to_json(self) -> dict[str, Any]:
        """One entry per candidate: those of the slate by position, then the others by score, then the removed ones.

        `position` is the index in the slate. `rank` is the index by score alone. `moves` lists the rules that moved the
        candidate, with the index before and after.
        """
        moved = [(step.rule.name, step.moves) for step in self.steps]
        ranks = [] if self.scores is None else best_first(self.scores).argsort().tolist()
        outcomes = self._outcomes()
        ranked = [
            self._scored(row)
            | {"rank": ranks[row], "position": position, "outcome": outcome}
            | {"moves": [_move(rule, *moves[row]) for rule, moves in moved if row in moves]}
            for row, (position, outcome) in enumerate(outcomes)
        ]
        ranked.sort(key=lambda one: (one["position"] is None, one["position"] or 0, -one["score"]))
        dropped = [
            _identity(some, row) | {"position": None, "score": None, "outcome": f"dropped: {why}"}
            for some, why in self.dropped
            for row in range(len(some))
        ]
        return {
            "candidates": ranked + dropped,
            "featureNames": self.features.names if self.features else (),
            "skippedSources": self.skipped,
            "repeats": self.repeats,
        }

    def _outcomes(self) -> list[tuple[int | None, str]]:
        """For each ranked candidate: its index in the slate, or None, and its outcome."""
        shown = self.items.post_ids.tolist() if self.items else []
        positions = {post_id: position for position, post_id in enumerate(shown)}
        reasons = {row: step.rule.reason for step in self.steps for row in step.left_out.tolist()}
        outcomes: list[tuple[int | None, str]] = []
        for row, post_id in enumerate(self.candidates.post_ids.tolist()):
            if post_id not in positions:
                outcomes.append((None, f"left out: {reasons.get(row, 'recently seen')}"))
            elif post_id in self.withheld:
                outcomes.append((positions[post_id], "withheld: no longer visible to the viewer"))
            else:
                outcomes.append((positions[post_id], "in the slate"))
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
        "source": SOURCES[candidates.sources[row]].label,
        "pool": SOURCES[candidates.sources[row]].pool,
    }
