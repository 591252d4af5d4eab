from collections.abc import Iterator

from training.promotion.evidence import Evidence, hours_since, newest_slate
from training.promotion.gates import Finding, Gate, Positive


class Freshness(Gate):
    """Neither the model nor the newest slate of the log is too old."""

    gate = "freshness of the model"
    model_hours: Positive
    data_hours: Positive

    def check(self, evidence: Evidence) -> Iterator[Finding]:
        """The age of the model, then the age of the data."""
        age = hours_since(evidence.bundle.contract.trained_until, evidence.now)
        yield Finding(self.gate, age <= self.model_hours, f"{age:.1f} h old, at most {self.model_hours:g}")
        gate = "freshness of the data"
        if evidence.unseen_slates is None:
            yield self.missing(evidence, "unseen_slates", gate)
            return
        age = hours_since(newest_slate(evidence.unseen_slates), evidence.now)
        yield Finding(gate, age <= self.data_hours, f"newest slate {age:.1f} h ago, at most {self.data_hours:g}")
