"""Stored feature columns at a moment: what ranking features are computed from."""

import numpy as np

from photofeed.arrays import FloatArray
from photofeed.features.manifest import FeatureManifest
from photofeed.features.ratios import Columns, Ratio, Ratios, seconds


class StoredFeatures:
    """Stored feature columns at a moment: counters are decayed to it, other features stay as stored.

    Args:
        columns: `view__field` -> (rows,) of any number type, or (1,) if all rows share it; missing values are replaced
            by the declared defaults.
        manifest: tells which columns are counters, and their half-lives.
        now: seconds since the epoch, one number for all rows or (rows,).
    """

    def __init__(self, columns: Columns, manifest: FeatureManifest, now: FloatArray | float) -> None:
        self.columns, self.manifest, self.now = columns, manifest, now

    def __call__(self, view: str, field: str) -> FloatArray:
        """One feature of all rows, float64; a counter is decayed to now and never negative."""
        return self.ratio(Ratio(view, field))

    def ratio(self, ratio: Ratio) -> FloatArray:
        """A ratio of all rows, float64."""
        return self.ratios(Ratios([ratio]))[:, 0]

    def ratios(self, ratios: Ratios) -> FloatArray:
        """Ratios of all rows, (rows, ratios), float64."""
        (rows,) = np.broadcast_shapes(np.shape(self.now), *(self.columns[name].shape for name in ratios.columns))
        output = np.empty((rows, len(ratios)))
        ratios.compute(self.columns, self.manifest, self.now, output)
        return output

    def age_seconds(self, view: str, field: str) -> FloatArray:
        """Seconds since a stored moment, at least 0; NaN where the moment is unknown (0 or negative)."""
        moment = seconds(self.columns[f"{view}__{field}"])
        return np.where(moment > 0, np.maximum(self.now - moment, 0.0), np.nan)
