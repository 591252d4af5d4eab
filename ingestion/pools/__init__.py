"""Pools of explore, built nearline: what a request reads in O(1) is worked out here every now and then."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol


class PoolBuilder(Protocol):
    """Builds one kind of pool from scratch; every run gives the same for the same world."""

    @property
    def name(self) -> str:
        """What metrics and logs call it."""

    @property
    def every_seconds(self) -> float:
        """How often at most; less often where a build takes long."""

    def build(self, now: datetime) -> Mapping[str, bytes]:
        """The pools as of `now`, by Redis key."""
