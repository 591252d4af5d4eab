from collections.abc import Iterator

from training.evaluate import MODEL
from training.evidence import Evidence
from training.gates import Finding, Gate, Share


class Calibration(Gate):
    """The chance of engagement that the scores stand for is the share that is seen."""

    gate = "calibration"
    largest_error: Share

    def check(self, evidence: Evidence) -> Iterator[Finding]:
        """Whether the expected calibration error is small."""
        if evidence.evaluation is None:
            yield self.missing(evidence, "evaluation")
            return
        error = evidence.evaluation.rankers[MODEL]["ece"]
        yield Finding(self.gate, error <= self.largest_error, f"{error:.4f}, at most {self.largest_error}")
