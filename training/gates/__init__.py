"""The gates: one file each, a class whose fields are the keys of its section in training/gates.toml.

A gate looks at the evidence and yields findings. What it needs and is not there, it fails for, and says why.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from training.evidence import Evidence

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


class Gate(BaseModel, ABC):
    """A section of the file; a key that it does not know is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    gate: ClassVar[str]

    @abstractmethod
    def check(self, evidence: Evidence) -> Iterator[Finding]:
        """What the gate has to say."""

    def missing(self, evidence: Evidence, what: str, gate: str = "") -> Finding:
        """A failure: what the gate needs is not there."""
        return Finding(gate or self.gate, False, evidence.missing.get(what, f"there is no {what}"))


def most(evidence: Evidence, values: NDArray[np.float64]) -> str:
    """The features with the largest of these values, (features,)."""
    names = evidence.bundle.contract.feature_names
    return ", ".join(names[i] for i in np.argsort(-values)[:NAMED] if i < len(names))
