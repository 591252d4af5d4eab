"""What declarations of ranking features mean, in plain numpy: one feature at a time, for tests of the compiled code."""

import numpy as np
from numpy.typing import NDArray

from photofeed.arrays import FloatArray
from photofeed.features.counters import AS_OF_FIELD
from photofeed.features.decay import decay
from photofeed.features.declarations import Age, Cosine, Declared
from photofeed.features.functions import FUNCTIONS
from photofeed.features.program import FeatureProgram
from photofeed.features.ratios import Ratio
from photofeed.features.stored import StoredFeatures
from photofeed.times import MICROSECONDS


def plain_matrix(program: FeatureProgram, stored: StoredFeatures, rows: int) -> NDArray[np.float32]:
    """What `program.matrix` has to be equal to, bit by bit."""
    with np.errstate(divide="ignore", invalid="ignore"):
        columns = [np.broadcast_to(plain_feature(one.of, stored), rows) for one in program.features]
    return np.stack(columns, axis=1).astype(np.float32)


def plain_feature(of: Declared, stored: StoredFeatures) -> FloatArray:
    """One feature: float64, (rows,), or (1,) or () if all rows share it."""
    if isinstance(of, Ratio):
        return _ratio(of, stored)
    if isinstance(of, Age):
        moment = np.float64(stored.columns[of.terms[0]]) / MICROSECONDS
        return np.where(moment > 0, np.maximum(stored.now - moment, 0.0), np.nan) / of.unit_seconds
    if isinstance(of, Cosine):
        left, right = (
            np.stack(np.broadcast_arrays(*(_counted(view, field, stored) for view, field in side)), axis=-1)
            for side in (of.left, of.right)
        )
        lengths = np.sqrt((left * left).sum(axis=-1) * (right * right).sum(axis=-1))
        cosine = (left * right).sum(axis=-1) / lengths
        return np.where(np.isnan(lengths) | (lengths > 0), cosine, 0.0)
    function = FUNCTIONS[of.name, of.version]
    ratios = np.broadcast_arrays(*(_ratio(ratio, stored) for ratio in function.ratios)) if function.ratios else []
    return np.asarray(function.compute(np.array(ratios), stored.now))


def _ratio(of: Ratio, stored: StoredFeatures) -> FloatArray:
    value = of.factor * _counted(of.view, of.numerator, stored) + of.prior
    if of.denominator is not None:
        value = value / (_counted(of.view, of.denominator, stored) + of.weight)
    return np.where(value > of.cap, of.cap, value)


def _counted(view: str, field: str, stored: StoredFeatures) -> FloatArray:
    """A stored column as float64; a counter is decayed to now, and not below 0."""
    values = np.asarray(stored.columns[f"{view}__{field}"], np.float64)
    half_lives = next((one.half_lives for one in stored.manifest.views if one.name == view), {})
    if field not in half_lives:
        return values
    elapsed = stored.now - np.float64(stored.columns[f"{view}__{AS_OF_FIELD}"]) / MICROSECONDS
    return np.maximum(decay(values, elapsed, half_lives[field]), 0.0)
