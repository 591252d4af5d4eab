from collections.abc import Iterator

from training.monitoring.drift import Observed, judge_drift
from training.promotion.evidence import Evidence, unserved_features
from training.promotion.gates import Finding, Gate, Positive, Share


class Drift(Gate):
    """The features have the distributions of the training set. `photofeed features drift` has the same limits."""

    gate = "drift"
    psi: Positive
    largest_share: Share

    def check(self, evidence: Evidence) -> Iterator[Finding]:
        """The share of features that have drifted."""
        contract = evidence.bundle.contract
        if contract.profile is None:
            yield Finding(self.gate, False, "the version has no profile of its features: run `photofeed train`")
            return
        if evidence.unseen_slates is None or unserved_features(contract):
            yield self.missing(evidence, "unseen_slates")
            return
        observed = Observed.of(evidence.unseen_slates, contract.feature_names)
        found = judge_drift(contract, observed, evidence.counting_since, psi=self.psi, largest_share=self.largest_share)
        yield Finding(self.gate, found.passed, str(found))
