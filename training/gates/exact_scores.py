from collections.abc import Iterator

from photofeed.scorer import ScorerError, verify_exact
from training.evidence import Evidence
from training.gates import Count, Finding, Gate


class ExactScores(Gate):
    """The engine that will serve gives the very scores of Booster.predict."""

    gate = "exact scores"
    rows: Count

    def check(self, evidence: Evidence) -> Iterator[Finding]:
        """Whether it does, on rows made to be hard."""
        if evidence.scorer is None:
            yield self.missing(evidence, "scorer")
            return
        try:
            verify_exact(evidence.scorer, evidence.bundle.model_path.read_text(), self.rows)
        except ScorerError as error:
            yield Finding(self.gate, False, str(error))
            return
        yield Finding(self.gate, True, f"{self.rows} rows equal to the last bit, engine {evidence.scorer.engine}")
