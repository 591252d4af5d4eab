"""Stored feature columns at a moment: what ranking features are computed from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from photofeed.arrays import FloatArray
from photofeed.features.manifest import FeatureManifest

Columns = Mapping[str, NDArray[np.generic]]


class FeatureSource(Protocol):
    """Stored feature columns of some rows, as a program takes them."""

    @property
    def manifest(self) -> FeatureManifest:
        """Tells which columns are counters, and their half-lives."""

    @property
    def now(self) -> FloatArray | float:
        """The moment that features are computed for: seconds since the epoch, one number for all rows or (rows,)."""

    def write(self, names: tuple[str, ...], output: FloatArray) -> None:
        """Write the columns `view__field` as stored into `output`, (names, rows), defaults in place of missing values.

        Raises:
            KeyError: a column is missing.
        """


@dataclass(frozen=True, slots=True)
class StoredFeatures:
    """Stored feature columns in memory.

    Attributes:
        columns: `view__field` -> (rows,) of any number type, or (1,) if all rows share it; missing values are replaced
            by the declared defaults.
        manifest: tells which columns are counters, and their half-lives.
        now: seconds since the epoch, one number for all rows or (rows,).
    """

    columns: Columns
    manifest: FeatureManifest
    now: FloatArray | float

    def write(self, names: tuple[str, ...], output: FloatArray) -> None:
        """See FeatureSource."""
        for row, name in zip(output, names, strict=True):
            row[:] = self.columns[name]
