"""The cosine of two vectors of stored features."""

import numpy as np

from photofeed.arrays import FloatArray
from photofeed.features.declarations import Cosine
from photofeed.features.functions import PureFunction
from photofeed.features.ratios import Ratio


def cosine_function(declared: Cosine) -> PureFunction:
    """What computes a declared cosine."""
    components = (*declared.left, *declared.right)
    return PureFunction(tuple(Ratio(view, field) for view, field in components), lambda values, _: _cosine(values))


def _cosine(vectors: FloatArray) -> FloatArray:
    """The cosine of the first and the second half of (2 m, rows) components, (rows,)."""
    left, right = vectors.T[:, : len(vectors) // 2], vectors.T[:, len(vectors) // 2 :]
    lengths = np.sqrt((left * left).sum(axis=1) * (right * right).sum(axis=1))
    dots = (left * right).sum(axis=1)
    cosine: FloatArray = np.divide(dots, lengths, out=np.where(np.isnan(lengths), np.nan, 0.0), where=lengths > 0)
    return cosine
