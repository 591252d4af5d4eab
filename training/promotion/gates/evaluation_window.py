from collections.abc import Iterator

from training.promotion.evidence import Evidence
from training.promotion.gates import Count, Finding, Gate, Positive


class EvaluationWindow(Gate):
    """How many days of slates the other gates use, and the minimum number of slates with a contrast.

    A slate whose posts all have one label says nothing about an order.
    """

    gate = "unseen slates"
    longest_days: Positive = 7.0
    fewest_slates: Count = 15

    def check(self, evidence: Evidence) -> Iterator[Finding]:
        """Whether there are enough slates."""
        if evidence.unseen_slates is None:
            yield self.missing(evidence, "unseen_slates")
            return
        slates = evidence.unseen_slates
        found = slates.contrasts
        detail = f"{found} of {slates.slates} slates from {slates.window}, unseen by both, have posts of different "
        detail += f"labels; required {self.fewest_slates}"
        yield Finding(self.gate, found >= self.fewest_slates, detail)
