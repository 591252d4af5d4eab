"""The gates: one file each. The fields of its class are the keys of its section in training/promotion/gates.toml.

A gate turns the evidence into findings. It fails if the evidence that it needs is missing, and states the reason.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from training.promotion.evidence import Evidence

FEATURES_NAMED = 3  # by a finding

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check of a gate."""

    gate: str
    passed: bool
    detail: str


class Gate(BaseModel, ABC):
    """A section of the gates file. An unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    gate: ClassVar[str]

    @abstractmethod
    def check(self, evidence: Evidence) -> Iterator[Finding]:
        """The findings of the gate."""

    def missing(self, evidence: Evidence, what: str, gate: str = "") -> Finding:
        """A failed finding: the evidence `what` is missing."""
        return Finding(gate or self.gate, False, evidence.missing.get(what, f"there is no {what}"))


def largest_features(names: Sequence[str], values: NDArray[np.float64]) -> str:
    """The names of the features with the largest values, (features,)."""
    return ", ".join(names[index] for index in np.argsort(-values, kind="stable")[:FEATURES_NAMED])
