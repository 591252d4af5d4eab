"""The gates: each a section of training/gates.toml, and what it says of the evidence."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from photofeed.model_contract import CHAMPION
from photofeed.scorer import ScorerError, verify_exact
from training.evaluate import EVERYTHING, MODEL
from training.evidence import Evidence, hours_since, newest_slate, seconds_to_score, unserved_features

MEBIBYTE = 2**20
NAMED = 3  # features that a finding names

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one gate says."""

    gate: str
    passed: bool
    detail: str


class Section(BaseModel):
    """A table of the file; a key that it does not know is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    gate: ClassVar[str]

    def check(self, evidence: Evidence) -> Iterator[Finding]:
        """What the section has to say."""
        raise NotImplementedError

    def missing(self, evidence: Evidence, what: str) -> Finding:
        """A failure: what the gate needs is not there."""
        return Finding(self.gate, False, evidence.missing.get(what, f"there is no {what}"))


class Judged(Section):
    """On which slates, and how many it takes."""

    gate = "slates to judge by"
    longest_days: Positive = 7.0
    fewest_slates: Count = 15

    def check(self, evidence: Evidence) -> Iterator[Finding]:
        """Whether there are enough."""
        if evidence.judged is None:
            yield self.missing(evidence, "judged")
            return
        found = evidence.judged.slates
        detail = f"{found} slates from {evidence.judged.window}, unseen by both; asked for {self.fewest_slates}"
        yield Finding(self.gate, found >= self.fewest_slates, detail)


class Floor(Section):
    """A metric, above a baseline by a margin, or above an absolute floor."""

    gate = "floor"
    metric: str
    above: str = ""
    by: float

    def check(self, evidence: Evidence) -> Iterator[Finding]:
        """Whether it is."""
        name = f"{self.metric} above {self.above}" if self.above else self.metric
        if evidence.evaluation is None:
            yield Finding(name, False, self.missing(evidence, "evaluation").detail)
            return
        rankers = evidence.evaluation.rankers
        own, its = rankers[MODEL].get(self.metric), rankers.get(self.above, {}).get(self.metric)
        if own is None or (self.above and its is None):
            yield Finding(name, False, f"nothing measures {self.metric} of {self.above or MODEL}")
            return
        detail = f"{own:.4f}" + (f", {self.above} {its:.4f}" if self.above else "") + f", asked for {self.by:+}"
        yield Finding(name, own >= (its or 0.0) + self.by, detail)


class AgainstChampion(Section):
    """Not far below the champion, as it stands now; in no segment clearly and far."""

    gate = "against champion"
    metric: str = "ndcg_10"
    largest_drop: Annotated[float, Field(ge=0)]
    largest_segment_drop: Annotated[float, Field(ge=0)]

    def check(self, evidence: Evidence) -> Iterator[Finding]:
        """Overall, then the segments; passes where there is no champion to compare with."""
        if evidence.champion is None:
            yield Finding(self.gate, True, "there is no champion yet")
            return
        if "champion" in evidence.missing:
            # servers refuse such a champion too: it must not keep a sound model out
            yield Finding(self.gate, True, f"not comparable: {evidence.missing['champion']}")
            return
        if evidence.evaluation is None:
            yield self.missing(evidence, "evaluation")
            return
        overall, segments = None, []
        for difference in evidence.evaluation.differences:
            if (difference.ranker, difference.metric) == (CHAMPION, self.metric):
                if difference.segment == EVERYTHING:
                    overall = difference.interval
                elif difference.interval.value < -self.largest_segment_drop and difference.interval.clear:
                    segments.append(f"{difference.segment} {difference.interval.value:+.4f}")
        if overall is None:
            yield Finding(self.gate, False, f"nothing measures {self.metric} of the champion")
            return
        detail = f"{self.metric} {overall.value:+.4f} [{overall.low:+.4f}, {overall.high:+.4f}] against version "
        detail += f"{evidence.champion}, at most {-self.largest_drop:+}"
        yield Finding(self.gate, overall.value >= -self.largest_drop, detail)
        said = ", ".join(segments) or "none far below the champion"
        yield Finding(f"{self.gate}, segments", not segments, f"{said}; at most {-self.largest_segment_drop:+}")


class Calibration(Section):
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


class ExactScores(Section):
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


class Budget(Section):
    """Fast and small enough to serve."""

    gate = "latency"
    rows: Count
    milliseconds: Positive
    mebibytes: Positive

    def check(self, evidence: Evidence) -> Iterator[Finding]:
        """Size, then time."""
        files = (evidence.bundle.model_path, evidence.bundle.tables_path)
        size = sum(path.stat().st_size for path in files if path) / MEBIBYTE
        yield Finding("size", size <= self.mebibytes, f"{size:.2f} MiB, at most {self.mebibytes:g}")
        if evidence.scorer is None:
            yield self.missing(evidence, "scorer")
            return
        took = 1000 * seconds_to_score(evidence.scorer, self.rows)
        detail = f"{took:.2f} ms for {self.rows} rows, at most {self.milliseconds:g}"
        yield Finding(self.gate, took <= self.milliseconds, detail)


class Features(Section):
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
            return Finding(gate, False, self.missing(evidence, "skew").detail)
        apart = evidence.skew > self.largest_difference
        share = float(apart.mean())
        worst = _worst(evidence, apart.mean(axis=0)) if apart.any() else ""
        detail = f"{share:.2%} of values differ online by more than {self.largest_difference:g}{worst}"
        return Finding(gate, share <= self.largest_share, f"{detail}, at most {self.largest_share:.2%}")


class Drift(Section):
    """The features still look as they did in training."""

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
        share = float((psi > self.psi).mean())
        detail = f"{share:.0%} of features with a PSI above {self.psi:g}{_worst(evidence, psi)}"
        yield Finding(self.gate, share <= self.largest_share, f"{detail}, at most {self.largest_share:.0%}")


class Freshness(Section):
    """Neither the model nor the log it is judged by is old."""

    gate = "freshness of the model"
    model_hours: Positive
    data_hours: Positive

    def check(self, evidence: Evidence) -> Iterator[Finding]:
        """Their ages."""
        age = hours_since(evidence.bundle.contract.trained_until, evidence.now)
        yield Finding(self.gate, age <= self.model_hours, f"{age:.1f} h old, at most {self.model_hours:g}")
        gate = "freshness of the data"
        if evidence.judged is None:
            yield Finding(gate, False, self.missing(evidence, "judged").detail)
            return
        age = hours_since(newest_slate(evidence.judged), evidence.now)
        yield Finding(gate, age <= self.data_hours, f"newest slate {age:.1f} h ago, at most {self.data_hours:g}")


def _worst(evidence: Evidence, values: NDArray[np.float64]) -> str:
    names = evidence.bundle.contract.feature_names
    return f" (most: {', '.join(names[i] for i in np.argsort(-values)[:NAMED] if i < len(names))})"
