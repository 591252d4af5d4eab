"""Why a feed looks as it does: every candidate with its source, features and score, and what became of it."""

from dataclasses import dataclass, field
from typing import Any

from photofeed.features.ranking import FEATURE_NAMES
from photofeed.ids import encode_id
from serving.feed.candidates import Candidates, Mask, Source
from serving.feed.features import FeatureMatrix
from serving.feed.rerankers import LeftOut
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
    left_out: list[LeftOut] = field(default_factory=list)

    def drop(self, candidates: Candidates, kept: Mask, reason: str) -> None:
        """Note what a filter left out."""
        self.dropped.append((candidates.take(~kept), reason))

    def to_json(self) -> dict[str, Any]:
        """One entry a candidate: those in the slate by place, then the others by score, then the dropped ones."""
        shown = self.items.post_ids.tolist() if self.items else []
        places = {post_id: place for place, post_id in enumerate(shown)}
        reasons = {int(row): one.reason for one in self.left_out for row in one.rows}
        ranked = [self._ranked(row, places, reasons) for row in range(len(self.candidates))]
        ranked.sort(key=lambda one: (one["place"] is None, one["place"] or 0, -one["score"]))
        left_out = [
            _identity(some, row) | {"place": None, "score": None, "outcome": f"dropped: {why}"}
            for some, why in self.dropped
            for row in range(len(some))
        ]
        return {
            "candidates": ranked + left_out,
            "featureNames": FEATURE_NAMES,
            "skippedSources": self.skipped,
            "repeats": self.repeats,
        }

    def _ranked(self, row: int, places: dict[int, int], reasons: dict[int, str]) -> dict[str, Any]:
        place = places.get(int(self.candidates.post_ids[row]))
        score = float(self.scores[row]) if self.scores is not None else 0.0
        return _identity(self.candidates, row) | {
            "place": place,
            "score": score,
            "features": self.features.values[row].tolist() if self.features else None,
            "outcome": "in the slate" if place is not None else f"left out: {reasons.get(row, 'seen lately')}",
        }


def _identity(candidates: Candidates, row: int) -> dict[str, Any]:
    return {
        "postId": encode_id(int(candidates.post_ids[row])),
        "authorId": encode_id(int(candidates.author_ids[row])),
        "source": Source(int(candidates.sources[row])).label,
        "pool": Source(int(candidates.sources[row])).pool,
    }
