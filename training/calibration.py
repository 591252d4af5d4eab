"""What a ranker's scores say about the chance of engagement: log loss and calibration of rankers of any scale.

A ranker's scores are no probabilities. Each half of the slates gets those of a logistic curve fitted on the other half
(Platt, 1999), so that nothing is judged on what it was fitted on.
"""

import numpy as np
from numpy.typing import NDArray

from training.intervals import Estimate, FloatArray

BINS = 10
MOST_STEPS = 50
TINY = 1e-9


def engagement_chance(engaged: NDArray[np.bool_], scores: FloatArray, slates: NDArray[np.int64]) -> FloatArray:
    """The chance of engagement, (rows,), that `scores` stand for; slates of odd number are fitted on even ones."""
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
    kept = np.clip(chance, TINY, 1 - TINY)
    return -np.where(engaged, np.log(kept), np.log1p(-kept))


def calibration_error(
    engaged: NDArray[np.bool_], chance: FloatArray, slates: NDArray[np.int64], count: int
) -> Estimate:
    """The expected calibration error over BINS bins of equally many rows: 0 if what is foretold happens as often.

    Source: Naeini et al., AAAI 2015, with bins of equal size. Small samples have some of it by chance alone.
    """
    bins = calibration_bins(chance)
    surplus = chance - engaged
    by_bin = np.bincount(bins, weights=surplus, minlength=BINS)
    error = float(np.abs(by_bin).sum() / len(chance))
    moved = (np.sign(by_bin)[bins] * surplus - error) / len(chance)
    return Estimate(error, np.bincount(slates, weights=moved, minlength=count).astype(np.float64))


def calibration_bins(chance: FloatArray) -> NDArray[np.int64]:
    """The bin, from 0 to BINS - 1, of each row: equally many rows in each."""
    order = np.argsort(chance, kind="stable")
    bins = np.empty(len(chance), dtype=np.int64)
    bins[order] = np.arange(len(chance)) * BINS // max(len(chance), 1)
    return bins


def _sigmoid(logits: FloatArray) -> FloatArray:
    halves: FloatArray = 0.5 * (1 + np.tanh(logits / 2))
    return halves


def _logistic_curve(scores: FloatArray, engaged: NDArray[np.bool_]) -> tuple[float, float]:
    """Intercept and slope of highest likelihood by Newton's method; a slight pull to 0 keeps them finite."""
    design = np.stack([np.ones(len(scores)), scores], axis=1)
    weights = np.zeros(2)
    pull = np.eye(2)
    for _ in range(MOST_STEPS):
        chance = _sigmoid(design @ weights)
        slope = design.T @ (engaged - chance) - pull @ weights
        curvature = (design * (chance * (1 - chance))[:, None]).T @ design + pull
        step = np.linalg.solve(curvature, slope)
        weights += step
        if np.abs(step).max() < 1e-8:  # noqa: PLR2004  far below what a metric shows
            break
    return float(weights[0]), float(weights[1])
