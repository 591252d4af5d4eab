"""Numbers that decide what is learned and what is promoted: a change is made here, too."""

from datetime import timedelta

import pytest

from tests.named_values import values_of

LIMITS: dict[str, dict[str, object]] = {
    "training.data.labels": {
        "LEAVING_SECONDS": 3600.0,
    },
    "training.data.raw_logs": {
        "MARGIN": timedelta(days=1),
    },
    "training.data.split": {
        "MIN_SLATES": 20,
        "TEST_SHARE": 0.15,
        "VALIDATION_SHARE": 0.15,
    },
    "training.evaluation.evaluate": {
        "CUTOFFS": (5, 10, 30),
        "RANDOM_DRAWS": 10,
        "TOP": 10,
    },
    "training.evaluation.experiment_report": {
        "MIN_PEOPLE": 2,
        "SRM_ALARM": 0.001,
    },
    "training.evaluation.explore_log": {
        "MIN_EFFECTIVE_ROWS": 50.0,
        "MIN_ROWS": 200,
    },
    "training.monitoring.drift": {
        "MAX_ROWS": 200_000,
        "YOUNG_SHARE": 0.1,
    },
    "training.monitoring.skew": {
        "HISTORY_DELAY": timedelta(minutes=5),
        "LARGEST_DIFFERENCE": 1e-6,
        "SETTLING_US": 5_000_000,
    },
    "training.promotion.evidence": {
        "TIMED_RUNS": 21,
    },
    "training.ranker.heads": {
        "MIN_POSITIVES": 20,
    },
    "training.ranker.leaks": {
        "LEAK_AUC": 0.97,
        "MAX_ROWS": 50_000,
        "MIN_ROWS_OF_A_CLASS": 20,
    },
    "training.ranker.parameters": {
        "DEBIASED_LEARNING_RATE": 0.1,
        "EVENTS_PER_FEATURE": 5,
        "LEARNING_RATE": 0.03,
        "VALIDATION_CUTOFF": 10,
    },
    "training.ranker.train": {
        "MIN_ROUNDS": 50,
        "SMOOTHING_ROUNDS": 31,
    },
    "training.statistics.calibration": {
        "BINS": 10,
    },
    "training.statistics.intervals": {
        "DRAWS": 1000,
        "LEVEL": 0.95,
        "MAX_UNITS": 2000,
    },
}


@pytest.mark.parametrize("module", LIMITS)
def test_the_limits_of_a_module_are_these(module: str) -> None:
    assert values_of(module, LIMITS[module]) == LIMITS[module]
