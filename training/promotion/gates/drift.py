from collections.abc import Iterator

from training.promotion.evidence import Evidence, unserved_features
from training.promotion.gates import Finding, Gate, Positive, Share, largest_features


class Drift(Gate):
    """The features have the distributions of the training set.

    A PSI has an expected value by chance, which is added to the threshold. It depends on the number of slates, not of
    rows, because the rows of a slate share the viewer and the time.
    """

    gate = "drift"
    psi: Positive
    largest_share: Share

    def check(self, evidence: Evidence) -> Iterator[Finding]:
        """The share of features that have drifted."""
        profile = evidence.bundle.contract.profile
        if profile is None:
            yield Finding(self.gate, False, "the version has no profile of its features: run `photofeed train`")
            return
        names = evidence.bundle.contract.feature_names
        if evidence.unseen_slates is None or unserved_features(evidence.bundle.contract):
            yield self.missing(evidence, "unseen_slates")
            return
        psi = profile.psi(evidence.unseen_slates.columns(names))
        slates = evidence.unseen_slates.slates
        share = float((psi > self.psi + profile.psi_of_chance(slates)).mean())
        detail = f"{share:.0%} of features with a PSI above {self.psi:g} plus the chance level of {slates} slates "
        detail += f"(largest: {largest_features(names, psi)})"
        yield Finding(self.gate, share <= self.largest_share, f"{detail}, at most {self.largest_share:.0%}")
