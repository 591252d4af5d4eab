from collections.abc import Iterator

from training.evidence import Evidence, hours_since, newest_slate
from training.gates import Finding, Gate, Positive


class Freshness(Gate):
    """Neither the model nor the log it is judged by is old."""

    gate = "freshness of the model"
    model_hours: Positive
    data_hours: Positive

    def check(self, evidence: Evidence) -> Iterator[Finding]:
        """Their ages."""
        age = hours_since(evidence.bundle.contract.trained_until, evidence.now)
        yield Finding(self.gate, age <= self.model_hours, f"{age:.1f} h old, at most {self.model_hours:g}")
        gate = "freshness of the data"
        if evidence.judged is None:
            yield self.missing(evidence, "judged", gate)
            return
        age = hours_since(newest_slate(evidence.judged), evidence.now)
        yield Finding(gate, age <= self.data_hours, f"newest slate {age:.1f} h ago, at most {self.data_hours:g}")
