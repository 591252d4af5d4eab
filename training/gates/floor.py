from collections.abc import Iterator

from training.evaluate import MODEL
from training.evidence import Evidence
from training.gates import Finding, Gate


class Floor(Gate):
    """A metric, above a baseline by a margin, or above an absolute floor."""

    gate = "floor"
    metric: str
    above: str = ""
    by: float

    def check(self, evidence: Evidence) -> Iterator[Finding]:
        """Whether it is."""
        name = f"{self.metric} above {self.above}" if self.above else self.metric
        if evidence.evaluation is None:
            yield self.missing(evidence, "evaluation", name)
            return
        rankers = evidence.evaluation.rankers
        own, its = rankers[MODEL].get(self.metric), rankers.get(self.above, {}).get(self.metric)
        if own is None or (self.above and its is None):
            yield Finding(name, False, f"nothing measures {self.metric} of {self.above or MODEL}")
            return
        detail = f"{own:.4f}" + (f", {self.above} {its:.4f}" if self.above else "") + f", asked for {self.by:+}"
        yield Finding(name, own >= (its or 0.0) + self.by, detail)
