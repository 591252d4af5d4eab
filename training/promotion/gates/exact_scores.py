from collections.abc import Iterator

import numpy as np

from photofeed.models.contract import LIGHTGBM, ModelContract
from photofeed.models.onnx_scorer import TOLERANCE
from photofeed.models.scorer import Scorer, ScorerError, verify_exact
from training.promotion.evidence import Evidence
from training.promotion.gates import Count, Finding, Gate


class ExactScores(Gate):
    """The engine that will serve computes the scores of the registered model: of LightGBM exactly, else nearly."""

    gate = "exact scores"
    rows: Count

    def check(self, evidence: Evidence) -> Iterator[Finding]:
        """Whether the scores are equal on generated hard rows."""
        if evidence.scorer is None:
            yield self.missing(evidence, "scorer")
            return
        contract = evidence.bundle.contract
        if contract.engine != LIGHTGBM:
            yield self._near(contract, evidence.scorer)
            return
        try:
            verify_exact(evidence.scorer, evidence.bundle.model_path.read_text(), self.rows)
        except ScorerError as error:
            yield Finding(self.gate, False, str(error))
            return
        yield Finding(self.gate, True, f"{self.rows} rows equal to the last bit, engine {evidence.scorer.engine}")

    def _near(self, contract: ModelContract, scorer: Scorer) -> Finding:
        if contract.samples is None:
            return Finding(self.gate, False, "the version has no scored samples: register it again")
        rows, expected = contract.samples.arrays()
        apart = float(np.abs(scorer.score(np.ascontiguousarray(rows, np.float32)) - expected).max())
        detail = f"{len(rows)} samples differ by at most {apart:.2g}, engine {scorer.engine}"
        return Finding(self.gate, apart <= TOLERANCE * max(1.0, float(np.abs(expected).max())), detail)
