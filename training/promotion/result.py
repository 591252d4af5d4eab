"""The result of a promotion."""

from collections.abc import Sequence
from dataclasses import dataclass

from training.promotion.evidence import Evidence
from training.promotion.gates import Finding


@dataclass(frozen=True, slots=True)
class Promotion:
    """The findings of the gates, their evidence, and whether the alias moved.

    Attributes:
        former: the champion that the version was compared with.
        forced: the reason to ignore failed gates.
        moved: whether the version became champion.
    """

    version: str
    former: str | None
    findings: Sequence[Finding]
    evidence: Evidence
    actor: str
    forced: str | None = None
    moved: bool = False

    @property
    def passed(self) -> bool:
        """Whether every gate passed."""
        return all(finding.passed for finding in self.findings)

    @property
    def accepted(self) -> bool:
        """Whether the version may become champion."""
        return self.passed or bool(self.forced)

    @property
    def failed(self) -> tuple[str, ...]:
        """The gates that failed."""
        return tuple(finding.gate for finding in self.findings if not finding.passed)
