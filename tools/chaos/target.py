"""What clients load and the judge compares: any photofeed that runs."""

import subprocess
from typing import Protocol

from photofeed.settings import Settings


class Target(Protocol):
    """A photofeed that runs."""

    @property
    def settings(self) -> Settings:
        """Where its systems are."""

    @property
    def urls(self) -> tuple[str, ...]:
        """Where its API answers, one or two."""

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a `photofeed` command on it."""
