from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from training.evidence import Evidence, unserved_features
from training.gates import Count, Finding, Gate, Share, most


class Features(Gate):
    """What the model was trained on is what is served: the same service, rows, columns, and values."""

    gate = "features available"
    skew_rows: Count
    largest_difference: Annotated[float, Field(ge=0)]
    largest_share: Share

    def check(self, evidence: Evidence) -> Iterator[Finding]:
        """Whether they are there, then whether they are equal."""
        yield self._available(evidence)
        yield self._skew(evidence)

    def _available(self, evidence: Evidence) -> Finding:
        contract, served = evidence.bundle.contract, evidence.served
        if contract.feature_service != served.service:
            return Finding(self.gate, False, f"trained on {contract.feature_service}, served is {served.service}")
        if unknown := unserved_features(contract):
            return Finding(self.gate, False, f"not computed by this release: {', '.join(unknown)}")
        if contract.manifest.hash != served.hash:
            return Finding(self.gate, False, f"{served.service} was changed since the training: train again")
        return Finding(self.gate, True, f"{len(contract.feature_names)} features of {served.service}")

    def _skew(self, evidence: Evidence) -> Finding:
        gate = "feature skew"
        if evidence.skew is None:
            return self.missing(evidence, "skew", gate)
        apart = evidence.skew > self.largest_difference
        share = float(apart.mean())
        worst = f" (most: {most(evidence, apart.mean(axis=0))})" if apart.any() else ""
        detail = f"{share:.2%} of values differ online by more than {self.largest_difference:g}{worst}"
        return Finding(gate, share <= self.largest_share, f"{detail}, at most {self.largest_share:.2%}")
