from collections.abc import Iterator

from training.evaluate import MODEL
from training.evidence import Evidence
from training.gates import Finding, Gate


class Floor(Gate):
    """A metric, above a baseline by a margin, or above an absolute floor.

    `clear`: the 95 % interval of the difference must lie above 0, too; a ranker that is as good as chance is above
    chance by some margin in every third small log.
    """

    gate = "floor"
    metric: str
    above: str = ""
    by: float
    clear: bool = False

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
        if not self.above:
            yield Finding(name, own >= self.by, f"{own:.4f}, asked for {self.by}")
            return
        more = evidence.evaluation.difference(self.above, self.metric)
        passed = more.value >= self.by and (more.low > 0 or not self.clear)
        detail = f"{own:.4f}, {self.above} {its:.4f}: {more.value:+.4f} [{more.low:+.4f}, {more.high:+.4f}]"
        yield Finding(name, passed, f"{detail}, asked for {self.by:+}{', beyond chance' if self.clear else ''}")
