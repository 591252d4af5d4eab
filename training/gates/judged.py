from collections.abc import Iterator

from training.evidence import Evidence
from training.gates import Count, Finding, Gate, Positive


class Judged(Gate):
    """On which slates the others judge, and how many it takes."""

    gate = "slates to judge by"
    longest_days: Positive = 7.0
    fewest_slates: Count = 15

    def check(self, evidence: Evidence) -> Iterator[Finding]:
        """Whether there are enough."""
        if evidence.judged is None:
            yield self.missing(evidence, "judged")
            return
        found = evidence.judged.slates
        detail = f"{found} slates from {evidence.judged.window}, unseen by both; asked for {self.fewest_slates}"
        yield Finding(self.gate, found >= self.fewest_slates, detail)
