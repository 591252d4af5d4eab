"""`make audit`: known vulnerabilities of packages, credentials in files, and ruff's security rules.

Each check says how many things there are and how many it looked at. One that was skipped is a failure.
"""

from dataclasses import dataclass, field


class UnreachableError(Exception):
    """The service with the advisories does not answer, so nothing is known."""


@dataclass(frozen=True, slots=True)
class Audit:
    """The outcome of one check: how many things there are, how many were audited, and what was found."""

    name: str
    total: int
    audited: int
    found: tuple[str, ...] = field(default=())

    @property
    def is_clean(self) -> bool:
        """Whether everything was audited and nothing was found."""
        return self.audited == self.total and not self.found
