"""The gates a version must pass to become champion: this table is all of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from photofeed.features.manifest import FeatureManifest
from photofeed.features.ranking import FEATURE_NAMES
from photofeed.model_contract import CHAMPION, ModelBundle
from photofeed.scorer import ScorerError, ScoringTables, make_scorer, verify_exact
from training.baselines import RANDOM


@dataclass(frozen=True, slots=True)
class Candidate:
    """A version before the gates: its files, what its run measured, and the stored features that are served now."""

    bundle: ModelBundle
    metrics: Mapping[str, float]
    served: FeatureManifest


@dataclass(frozen=True, slots=True)
class Finding:
    """What one gate says."""

    gate: str
    passed: bool
    detail: str


class Gate(Protocol):
    """One condition."""

    def check(self, candidate: Candidate) -> Finding:
        """Whether the candidate meets it, and why."""


@dataclass(frozen=True, slots=True)
class Beats:
    """On the test part, `metric` is above that of `rival` by at least `margin`; negative: below by at most as much."""

    rival: str
    margin: float
    metric: str = "ndcg_10"

    def check(self, candidate: Candidate) -> Finding:
        """See the class; passes where the run knew of no such rival, as before the first champion."""
        own, its = (candidate.metrics.get(f"test_{name}") for name in (self.metric, f"{self.rival}_{self.metric}"))
        gate = f"{self.metric} against {self.rival}"
        if own is None:
            return Finding(gate, False, "the run measured none")
        if its is None:
            return Finding(gate, self.rival == CHAMPION, f"no {self.rival} was measured")
        return Finding(gate, own >= its + self.margin, f"{own:.4f}, {self.rival} {its:.4f}, asked for {self.margin:+}")


@dataclass(frozen=True, slots=True)
class ScoresExactly:
    """The engine that will serve gives the very scores of Booster.predict, on `rows` rows made to be hard."""

    rows: int

    def check(self, candidate: Candidate) -> Finding:
        """See the class."""
        gate = "exact scores"
        text, tables = candidate.bundle.model_path.read_text(), candidate.bundle.tables_path
        try:
            scorer = make_scorer(text, ScoringTables.load(tables) if tables else None)
            verify_exact(scorer, text, self.rows)
        except ScorerError as error:
            return Finding(gate, False, str(error))
        return Finding(gate, True, f"{self.rows} rows equal to the last bit, engine {scorer.engine}")


@dataclass(frozen=True, slots=True)
class FeaturesAvailable:
    """What the model was trained on is what is served: the same service, rows and columns."""

    def check(self, candidate: Candidate) -> Finding:
        """See the class."""
        gate, contract, served = "features available", candidate.bundle.contract, candidate.served
        if contract.feature_service != served.service:
            detail = f"trained on {contract.feature_service}, served is {served.service}"
            return Finding(gate, False, detail)
        unknown = [name for name in contract.feature_names if name not in FEATURE_NAMES]
        if unknown:
            return Finding(gate, False, f"not computed by this release: {', '.join(unknown)}")
        if contract.manifest.hash != served.hash:
            return Finding(gate, False, f"{served.service} was changed since the training: train again")
        return Finding(gate, True, f"{len(contract.feature_names)} features of {served.service}")


GATES: tuple[Gate, ...] = (
    Beats(RANDOM, margin=0.02),
    Beats("recency", margin=0.005),
    Beats(CHAMPION, margin=-0.02),
    FeaturesAvailable(),
    ScoresExactly(rows=2000),
)


def check_gates(candidate: Candidate, gates: tuple[Gate, ...] = GATES) -> list[Finding]:
    """What every gate says, in their order."""
    return [gate.check(candidate) for gate in gates]
