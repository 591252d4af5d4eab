from collections.abc import Iterator

from training.evidence import Evidence, unserved_features
from training.gates import Finding, Gate, Positive, Share, most


class Drift(Gate):
    """The features still look as they did in training.

    What a PSI has by chance is allowed for, a slate counting once: its rows have the viewer and the moment in common.
    """

    gate = "drift"
    psi: Positive
    largest_share: Share

    def check(self, evidence: Evidence) -> Iterator[Finding]:
        """How many do not."""
        profile = evidence.bundle.contract.profile
        if profile is None:
            yield Finding(self.gate, False, "the version carries no profile of its features: run `photofeed train`")
            return
        if evidence.judged is None or unserved_features(evidence.bundle.contract):
            yield self.missing(evidence, "judged")
            return
        psi = profile.psi(evidence.judged.matrix)
        slates = evidence.judged.slates
        share = float((psi > self.psi + profile.psi_of_chance(slates)).mean())
        detail = f"{share:.0%} of features with a PSI above {self.psi:g} and the chance of {slates} slates "
        detail += f"(most: {most(evidence, psi)})"
        yield Finding(self.gate, share <= self.largest_share, f"{detail}, at most {self.largest_share:.0%}")
