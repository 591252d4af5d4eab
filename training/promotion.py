"""What came of asking for a promotion."""

from collections.abc import Sequence
from dataclasses import dataclass

from training.evidence import Evidence
from training.gates import Finding


@dataclass(frozen=True, slots=True)
class Promotion:
    """The gates' findings, what they were found from, and what was done.

    Attributes:
        former: the champion that the version was judged beside.
        forced: the reason to pass over the gates.
        moved: the version is champion now.
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
        """Whether every gate was passed."""
        return all(finding.passed for finding in self.findings)

    @property
    def accepted(self) -> bool:
        """Whether the version may become champion."""
        return self.passed or bool(self.forced)

    @property
    def failed(self) -> tuple[str, ...]:
        """The gates that were not passed."""
        return tuple(finding.gate for finding in self.findings if not finding.passed)
