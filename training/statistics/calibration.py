"""Log loss and calibration of rankers whose scores may have any scale.

A ranker's scores are not probabilities. A logistic curve maps scores to probabilities (Platt, 1999). It is fitted on
one half of the slates and applied to the other half, so that no row is measured with a curve that was fitted on it.
"""

import numpy as np
from numpy.typing import NDArray

from photofeed.arrays import FloatArray
from training.statistics.intervals import Estimate

BINS = 10
TOLERANCE = 1e-9  # of the fit; far below what a metric shows
MIN_CHANCE = 1e-9  # keeps the log loss of a certain and wrong prediction finite


def engagement_chance(engaged: NDArray[np.bool_], scores: FloatArray, slates: NDArray[np.int64]) -> FloatArray:
    """The predicted chance of engagement, (rows,).

    Slates with odd numbers use the curve fitted on slates with even numbers, and vice versa. Scores that are not finite
    count as the lowest finite score.
    """
    finite = np.isfinite(scores)
    lowest = scores[finite].min() if finite.any() else 0.0
    known = np.where(finite, scores, lowest)
    spread = known.std() or 1.0
    standard = np.clip((known - known.mean()) / spread, -10, 10)
    chance = np.empty(len(scores))
    odd = slates % 2 == 1
    for half in (odd, ~odd):
        intercept, slope = _logistic_curve(standard[~half], engaged[~half])
        chance[half] = _sigmoid(intercept + slope * standard[half])
    return chance


def log_loss(engaged: NDArray[np.bool_], chance: FloatArray) -> FloatArray:
    """The log loss of each row, in nats."""
    kept = np.clip(chance, MIN_CHANCE, 1 - MIN_CHANCE)
    return -np.where(engaged, np.log(kept), np.log1p(-kept))


def calibration_error(
    engaged: NDArray[np.bool_], chance: FloatArray, slates: NDArray[np.int64], count: int
) -> Estimate:
    """The expected calibration error over BINS bins with equal numbers of rows.

    The value is 0 if events happen as often as predicted. Small samples have some error by chance alone.
    Source: Naeini et al., AAAI 2015, with bins of equal size.
    """
    bins = calibration_bins(chance)
    surplus = chance - engaged
    by_bin = np.bincount(bins, weights=surplus, minlength=BINS)
    error = float(np.abs(by_bin).sum() / len(chance))
    influence = (np.sign(by_bin)[bins] * surplus - error) / len(chance)
    return Estimate(error, np.bincount(slates, weights=influence, minlength=count).astype(np.float64))


def calibration_bins(chance: FloatArray) -> NDArray[np.int64]:
    """The bin of each row, from 0 to BINS - 1, ordered by `chance`, with equal numbers of rows in each."""
    order = np.argsort(chance, kind="stable")
    bins = np.empty(len(chance), dtype=np.int64)
    bins[order] = np.arange(len(chance)) * BINS // max(len(chance), 1)
    return bins


def _sigmoid(logits: FloatArray) -> FloatArray:
    halves: FloatArray = 0.5 * (1 + np.tanh(logits / 2))
    return halves


def _logistic_curve(scores: FloatArray, engaged: NDArray[np.bool_]) -> tuple[float, float]:
    """Intercept and slope of highest likelihood, both with an L2 penalty that keeps them finite.

    The penalty matters where all rows are engaged with, or none, and where the scores separate the two kinds.
    """
    if not len(scores):
        return 0.0, 0.0  # a chance of 0.5: a single slate leaves the other half without rows
    from sklearn.linear_model import LogisticRegression

    # The column of ones is the intercept: the penalty of scikit-learn leaves out an intercept of its own. The last two
    # rows have no weight. They are there because scikit-learn needs a row of each class.
    design = np.stack([np.append(np.ones(len(scores)), [0.0, 0.0]), np.append(scores, [0.0, 0.0])], axis=1)
    weights = np.append(np.ones(len(scores)), [0.0, 0.0])
    curve = LogisticRegression(fit_intercept=False, solver="newton-cholesky", tol=TOLERANCE)
    curve.fit(design, np.append(engaged, [False, True]), sample_weight=weights)
    intercept, slope = curve.coef_[0].tolist()
    return intercept, slope
