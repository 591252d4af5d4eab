from collections.abc import Iterator

from training.evaluation.evaluate import MODEL
from training.promotion.evidence import Evidence
from training.promotion.gates import Finding, Gate, Share


class Calibration(Gate):
    """The predicted chance of engagement is close to the observed share."""

    gate = "calibration"
    largest_error: Share

    def check(self, evidence: Evidence) -> Iterator[Finding]:
        """Whether the expected calibration error is small enough."""
        if evidence.evaluation is None:
            yield self.missing(evidence, "evaluation")
            return
        error = evidence.evaluation.rankers[MODEL]["ece"]
        yield Finding(self.gate, error <= self.largest_error, f"{error:.4f}, at most {self.largest_error}")
