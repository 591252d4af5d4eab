"""Pools of explore, built nearline: workers compute them at intervals, and requests read them in O(1)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol


class PoolBuilder(Protocol):
    """Builds one kind of pool from scratch. The same data gives the same pools."""

    @property
    def name(self) -> str:
        """The name in metrics and logs."""

    @property
    def every_seconds(self) -> float:
        """The shortest interval between builds; longer if a build takes long."""

    def build(self, now: datetime) -> Mapping[str, bytes]:
        """The pools as of `now`, by Redis key."""
