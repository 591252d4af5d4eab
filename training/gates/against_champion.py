from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from photofeed.model_contract import CHAMPION
from training.evaluate import EVERYTHING, Evaluation
from training.evidence import Evidence
from training.gates import Finding, Gate


class AgainstChampion(Gate):
    """Not far below the champion, as it stands now; in no segment clearly and far."""

    gate = "against champion"
    metric: str = "ndcg_10"
    largest_drop: Annotated[float, Field(ge=0)]
    largest_segment_drop: Annotated[float, Field(ge=0)]

    def check(self, evidence: Evidence) -> Iterator[Finding]:
        """Overall, then the segments; passes where there is no champion to compare with."""
        if evidence.champion is None:
            yield Finding(self.gate, True, "there is no champion yet")
        elif "champion" in evidence.missing:
            # servers refuse such a champion too: it must not keep a sound model out
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
        overall = drops.pop(EVERYTHING, None)
        if overall is None:
            yield Finding(self.gate, False, f"nothing measures {self.metric} of the champion")
            return
        detail = f"{self.metric} {overall.value:+.4f} [{overall.low:+.4f}, {overall.high:+.4f}] against version "
        detail += f"{champion}, at least {-self.largest_drop:+}"
        yield Finding(self.gate, overall.value >= -self.largest_drop, detail)
        far = [
            f"{segment} {drop.value:+.4f}"
            for segment, drop in drops.items()
            if drop.value < -self.largest_segment_drop and drop.clear
        ]
        said = ", ".join(far) or "none far below the champion"
        yield Finding(f"{self.gate}, segments", not far, f"{said}; at least {-self.largest_segment_drop:+}")
