from collections.abc import Callable

import numpy as np
import pytest

from photofeed.features.ranking import FEATURE_NAMES
from training.data.dataset import Dataset
from training.data.split import temporal_split
from training.errors import FeaturesError, LeakError
from training.ranker.leaks import check_features, leaking_features
from training.ranker.parameters import TrainingParameters
from training.ranker.train import train

OPENS = FEATURE_NAMES.index("post_opens_24h")


def test_honest_features_pass_however_good_they_are(dataset: Dataset) -> None:
    check_features(dataset)


@pytest.mark.parametrize(
    "leak",
    [
        lambda labels: labels,
        lambda labels: -3.0 * labels,
        lambda labels: np.where(labels > 0, np.nan, 1.0),
        lambda labels: np.where(labels > 0, 1.0, np.nan),
        lambda labels: labels + np.random.default_rng(0).normal(scale=0.2, size=len(labels)),
    ],
    ids=["copied", "turned round", "missing where engaged", "missing where not", "with noise"],
)
def test_a_label_in_a_feature_is_refused_by_name(dataset: Dataset, leak: Callable[[np.ndarray], np.ndarray]) -> None:
    dataset.matrix[:, OPENS] = leak(dataset.labels)
    with pytest.raises(LeakError, match=r"post_opens_24h \(AUC (0\.9|1\.0)"):
        check_features(dataset)


def test_a_leak_is_found_in_a_part_of_a_large_dataset(make_dataset: Callable[..., Dataset]) -> None:
    large = make_dataset(slates=10_000)
    large.matrix[:, OPENS] = large.labels
    assert list(leaking_features(large)) == ["post_opens_24h"]


def test_a_few_engagements_told_apart_by_chance_are_no_leak(make_dataset: Callable[..., Dataset]) -> None:
    few = make_dataset(slates=10)
    few.labels[:] = np.arange(len(few)) == 5
    few.matrix[:, OPENS] = few.labels
    assert leaking_features(few) == {}


@pytest.mark.parametrize("of_engaged", [True, False])
@pytest.mark.parametrize(("rows", "is_leak"), [(19, False), (20, True)])
def test_twenty_rows_of_a_kind_are_enough_for_a_leak(
    make_dataset: Callable[..., Dataset], rows: int, *, is_leak: bool, of_engaged: bool
) -> None:
    few = make_dataset(slates=10)
    few.labels[:] = (np.arange(len(few)) < rows) == of_engaged
    few.matrix[:, OPENS] = few.labels
    assert ("post_opens_24h" in leaking_features(few)) is is_leak


def test_infinite_values_are_refused_by_name_and_missing_ones_are_learned_from(dataset: Dataset) -> None:
    dataset.matrix[::3] = np.nan
    check_features(dataset)
    parts = temporal_split(dataset)
    ranker = train(parts.train, parts.validation, TrainingParameters(rounds=5, threads=1))
    assert np.isfinite(ranker.score(parts.test.matrix)).all()
    dataset.matrix[7, OPENS], dataset.matrix[9, OPENS] = np.inf, -np.inf
    with pytest.raises(FeaturesError, match="post_opens_24h in 2 rows"):
        check_features(dataset)
