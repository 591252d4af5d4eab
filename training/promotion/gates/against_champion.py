from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from photofeed.models.registry import CHAMPION
from training.evaluation.evaluate import OVERALL, Evaluation
from training.promotion.evidence import Evidence
from training.promotion.gates import Finding, Gate


class AgainstChampion(Gate):
    """The version is not far below the current champion, and not significantly far below in any segment."""

    gate = "against champion"
    metric: str = "ndcg_10"
    largest_drop: Annotated[float, Field(ge=0)]
    largest_segment_drop: Annotated[float, Field(ge=0)]

    def check(self, evidence: Evidence) -> Iterator[Finding]:
        """One finding for all slates, one for the segments. Passes if there is no champion to compare with."""
        if evidence.champion is None:
            yield Finding(self.gate, True, "there is no champion yet")
        elif "champion" in evidence.missing:
            # servers reject such a champion, too: it must not block a good version
            yield Finding(self.gate, True, f"not comparable: {evidence.missing['champion']}")
        elif evidence.evaluation is None:
            yield self.missing(evidence, "evaluation")
        else:
            yield from self._compare(evidence.evaluation, evidence.champion)

    def _compare(self, evaluation: Evaluation, champion: str) -> Iterator[Finding]:
        drops = {
            one.segment: one.interval
            for one in evaluation.differences
            if (one.ranker, one.metric) == (CHAMPION, self.metric)
        }
        overall = drops.pop(OVERALL, None)
        if overall is None:
            yield Finding(self.gate, False, f"{self.metric} of the champion was not measured")
            return
        detail = f"{self.metric} {overall.value:+.4f} [{overall.low:+.4f}, {overall.high:+.4f}] against version "
        detail += f"{champion}, at least {-self.largest_drop:+}"
        yield Finding(self.gate, overall.value >= -self.largest_drop, detail)
        far = [
            f"{segment} {drop.value:+.4f}"
            for segment, drop in drops.items()
            if drop.value < -self.largest_segment_drop and drop.clear
        ]
        listed = ", ".join(far) or "none far below the champion"
        yield Finding(f"{self.gate}, segments", not far, f"{listed}; at least {-self.largest_segment_drop:+}")
