from collections.abc import Iterator

from training.evaluation.evaluate import MODEL
from training.promotion.evidence import Evidence
from training.promotion.gates import Finding, Gate


class Floor(Gate):
    """A metric is above a baseline by a margin, or above an absolute floor.

    Above a baseline, the 95 % interval of the difference must be above 0, too: on small logs every third ranker without
    any skill is above the random baseline by some margin. `clear = false` waives that.
    """

    gate = "floor"
    metric: str
    above: str = ""
    by: float
    clear: bool = True

    def check(self, evidence: Evidence) -> Iterator[Finding]:
        """Whether the metric is high enough."""
        name = f"{self.metric} above {self.above}" if self.above else self.metric
        if evidence.evaluation is None:
            yield self.missing(evidence, "evaluation", name)
            return
        rankers = evidence.evaluation.rankers
        own, its = rankers[MODEL].get(self.metric), rankers.get(self.above, {}).get(self.metric)
        if own is None or (self.above and its is None):
            yield Finding(name, False, f"{self.metric} of {self.above or MODEL} was not measured")
            return
        if not self.above:
            yield Finding(name, own >= self.by, f"{own:.4f}, required {self.by}")
            return
        more = evidence.evaluation.difference(self.above, self.metric)
        passed = more.value >= self.by and (more.low > 0 or not self.clear)
        detail = f"{own:.4f}, {self.above} {its:.4f}: {more.value:+.4f} [{more.low:+.4f}, {more.high:+.4f}]"
        yield Finding(name, passed, f"{detail}, required {self.by:+}{', significant' if self.clear else ''}")
