import numpy as np
import pytest

from training.statistics.calibration import (
    BINS,
    _logistic_curve,
    calibration_bins,
    calibration_error,
    engagement_chance,
    log_loss,
)

SLATES = np.repeat(np.arange(800), 10)


def _clicks(slope: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=8000)
    chance = 1 / (1 + np.exp(1 - slope * logits))
    return logits, chance, rng.random(8000) < chance


def test_scores_of_any_scale_get_the_chance_they_stand_for() -> None:
    logits, truth, engaged = _clicks(1.5)
    chance = engagement_chance(engaged, 40 * logits - 7, SLATES)
    assert np.abs(chance - truth).max() < 0.05
    assert calibration_error(engaged, chance, SLATES, 800).value < 0.025


def test_a_score_that_says_nothing_gets_the_average_chance() -> None:
    _, _, engaged = _clicks(1.5)
    for silent in (np.zeros(8000), np.full(8000, np.nan)):
        assert engagement_chance(engaged, silent, SLATES) == pytest.approx(np.full(8000, engaged.mean()), abs=0.02)


def test_forecasts_that_are_too_sure_are_found() -> None:
    logits, truth, engaged = _clicks(1.5)
    too_sure = 1 / (1 + np.exp(3 - 6 * logits))
    assert calibration_error(engaged, too_sure, SLATES, 800).value > 0.1
    assert log_loss(engaged, too_sure).mean() > log_loss(engaged, truth).mean() + 0.1


def _scores_and_engagement() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(0)
    scores = rng.normal(size=4000)
    ramp = np.linspace(-1.7, 1.7, 4000)
    return {
        "ordinary": (scores, rng.random(4000) < 1 / (1 + np.exp(1 - 1.5 * scores))),
        "constant scores": (np.zeros(4000), np.arange(4000) % 10 < 3),
        "nothing engaged with": (ramp, np.zeros(4000, dtype=bool)),
        "everything engaged with": (ramp, np.ones(4000, dtype=bool)),
        "separable": (ramp, ramp > 0.3),
        "two rows": (np.array([1.0, -1.0]), np.array([True, False])),
        "one row": (np.array([0.0]), np.array([True])),
        "one outlier": (np.append(np.full(3999, -0.01), 10.0), np.arange(4000) % 10 == 9),
    }


CASES = _scores_and_engagement()


@pytest.mark.parametrize("case", CASES)
def test_the_curve_is_the_optimum_of_the_penalised_likelihood(case: str) -> None:
    """The objective is strictly convex, so a gradient of 0 identifies the optimum. The penalty is of both weights."""
    scores, engaged = CASES[case]
    weights = np.array(_logistic_curve(scores, engaged))
    design = np.stack([np.ones(len(scores)), scores], axis=1)
    gradient = design.T @ (engaged - 1 / (1 + np.exp(-design @ weights))) - weights
    assert np.abs(gradient).max() < 1e-4
    assert np.isfinite(weights).all()


@pytest.mark.parametrize(
    ("case", "intercept", "slope"),
    [
        ("ordinary", -0.9832196876913265, 1.5010374778448239),
        ("nothing engaged with", -6.431268700630311, 0.0),
        ("everything engaged with", 6.431268700630444, 0.0),
        ("two rows", 0.0, 0.6748316143423994),
        ("one row", 0.40105813754154707, 0.0),
    ],
)
def test_the_curve_is_that_of_newtons_method(case: str, intercept: float, slope: float) -> None:
    """Values of the Newton fit that scikit-learn replaced."""
    assert _logistic_curve(*CASES[case]) == pytest.approx((intercept, slope), abs=1e-7)


def test_without_rows_the_chance_is_even() -> None:
    assert _logistic_curve(np.empty(0), np.empty(0, dtype=bool)) == (0.0, 0.0)
    one_slate = engagement_chance(np.array([True, False]), np.array([3.0, 1.0]), np.zeros(2, dtype=np.int64))
    assert one_slate.tolist() == [0.5, 0.5]


def test_no_slate_is_measured_with_a_curve_fitted_on_it() -> None:
    """Scores of even slates rank well, those of odd slates the other way round: each half gets the other's slope."""
    rng = np.random.default_rng(2)
    scores = rng.normal(size=8000)
    odd = SLATES % 2 == 1
    engaged = rng.random(8000) < 1 / (1 + np.exp(np.where(odd, 2 * scores, -2 * scores)))
    chance = engagement_chance(engaged, scores, SLATES)
    assert np.corrcoef(chance[odd], scores[odd])[0, 1] > 0.9
    assert np.corrcoef(chance[~odd], scores[~odd])[0, 1] < -0.9


def test_a_score_that_is_not_finite_counts_as_the_lowest() -> None:
    logits, _, engaged = _clicks(1.5)
    for missing in (np.nan, np.inf, -np.inf):
        unknown = np.where(np.arange(8000) % 100 == 0, missing, logits)
        lowest = np.where(np.arange(8000) % 100 == 0, np.delete(logits, np.arange(0, 8000, 100)).min(), logits)
        assert engagement_chance(engaged, unknown, SLATES) == pytest.approx(engagement_chance(engaged, lowest, SLATES))


def test_one_class_gives_a_finite_log_loss() -> None:
    chance = engagement_chance(np.zeros(8000, dtype=bool), np.arange(8000.0), SLATES)
    assert (chance < 0.02).all()
    assert np.isfinite(log_loss(np.zeros(8000, dtype=bool), np.zeros(8000))).all()
    wrong_and_sure = log_loss(np.array([True, False]), np.array([0.0, 1.0]))
    assert wrong_and_sure == pytest.approx(np.full(2, -np.log(1e-9)))


def test_log_loss_is_that_of_the_textbook() -> None:
    assert log_loss(np.array([True, False]), np.array([0.8, 0.8])) == pytest.approx([-np.log(0.8), -np.log(0.2)])


def test_the_calibration_error_is_the_mean_distance_between_predicted_and_observed() -> None:
    """Ten bins of 100: in the first half of them 0.3 is predicted and 0.1 happens, in the others 0.8 and 0.9."""
    chance = np.repeat([0.3, 0.8], 500)
    engaged = np.concatenate([np.arange(500) % 10 < 1, np.arange(500) % 10 < 9])
    found = calibration_error(engaged, chance, np.arange(1000) // 10, 100)
    assert found.value == pytest.approx(0.5 * 0.2 + 0.5 * 0.1)
    assert found.influence.sum() == pytest.approx(0)


def test_bins_hold_equal_numbers_in_the_order_of_the_chance() -> None:
    chance = np.random.default_rng(1).random(1000)
    bins = calibration_bins(chance)
    assert np.bincount(bins).tolist() == [100] * BINS
    assert (np.diff(bins[np.argsort(chance)]) >= 0).all()
