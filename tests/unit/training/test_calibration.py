import numpy as np
import pytest

from training.calibration import calibration_bins, calibration_error, engagement_chance, log_loss

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


def test_one_kind_of_answer_only_is_borne() -> None:
    chance = engagement_chance(np.zeros(8000, dtype=bool), np.arange(8000.0), SLATES)
    assert (chance < 0.02).all()
    assert np.isfinite(log_loss(np.zeros(8000, dtype=bool), np.zeros(8000))).all()


def test_bins_hold_equally_many() -> None:
    assert np.bincount(calibration_bins(np.random.default_rng(1).random(1000))).tolist() == [100] * 10
