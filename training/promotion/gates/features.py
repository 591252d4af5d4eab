from collections.abc import Iterator
from typing import Annotated

import numpy as np
from pydantic import Field

from photofeed.features.compatibility import breaks
from training.promotion.evidence import Evidence, unserved_features
from training.promotion.gates import Count, Finding, Gate, Share, largest_features


class Features(Gate):
    """Serving provides the features of the training: their functions, stored fields of the same meaning, and values."""

    gate = "features available"
    skew_rows: Count
    largest_difference: Annotated[float, Field(ge=0)]
    largest_share: Share

    def check(self, evidence: Evidence) -> Iterator[Finding]:
        """Whether the features are available, then whether their values agree."""
        yield self._available(evidence)
        yield self._skew(evidence)

    def _available(self, evidence: Evidence) -> Finding:
        contract, served = evidence.bundle.contract, evidence.served_manifest
        if unknown := unserved_features(contract):
            return Finding(self.gate, False, unknown)
        needed = contract.manifest.only(contract.program.reads)
        if changed := breaks(needed, {served.service: served}):
            return Finding(self.gate, False, f"stored features differ from those of the training: {changed[0]}")
        return Finding(self.gate, True, f"{len(contract.feature_names)} features of {served.service}")

    def _skew(self, evidence: Evidence) -> Finding:
        gate = "feature skew"
        if evidence.skew is None:
            return self.missing(evidence, "skew", gate)
        if not len(evidence.skew):
            return Finding(gate, True, "no impression is old enough for history to have it: nothing was compared")
        in_flight, apart = np.isnan(evidence.skew), evidence.skew > self.largest_difference
        share = float(apart.sum() / max(1, np.count_nonzero(~in_flight)))
        names = evidence.bundle.contract.feature_names
        worst = f" (largest: {largest_features(names, apart.mean(axis=0))})" if apart.any() else ""
        detail = f"{share:.2%} of online values differ from offline by more than {self.largest_difference:g}{worst}"
        if in_flight.any():
            detail += f"; {in_flight.mean():.2%} were left out because events are in flight"
        return Finding(gate, share <= self.largest_share, f"{detail}, at most {self.largest_share:.2%}")
