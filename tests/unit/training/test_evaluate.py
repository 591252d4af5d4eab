import numpy as np
import pytest

from photofeed.features.ranking import FEATURE_NAMES
from training import baselines
from training.dataset import Dataset
from training.evaluate import evaluate, measure
from training.plots import ndcg_by_depth


def test_a_ranker_that_knows_the_labels_is_perfect(dataset: Dataset) -> None:
    assert measure(dataset, dataset.labels.astype(float)) == pytest.approx(
        {"ndcg_5": 1, "ndcg_10": 1, "ndcg_30": 1, "map": 1, "auc": 1}
    )


def test_baselines_rank_by_what_they_are_called(dataset: Dataset) -> None:
    newest = dataset.matrix[:, FEATURE_NAMES.index("post_age_hours")].argmin()
    most_liked = dataset.matrix[:, FEATURE_NAMES.index("post_likes_24h")].argmax()
    assert baselines.baseline_scores(dataset, "recency").argmax() == newest
    assert baselines.baseline_scores(dataset, "popularity").argmax() == most_liked


def test_every_ranker_is_measured_beside_every_baseline(dataset: Dataset) -> None:
    evaluation = evaluate(dataset, {"model": dataset.labels.astype(float), "champion": np.zeros(len(dataset))})
    assert set(evaluation.rankers) == {"model", "champion", "recency", "popularity", "random"}
    flat = evaluation.flat()
    assert flat["ndcg_10"] == pytest.approx(1)
    assert flat["champion_auc"] == 0.5
    assert flat["random_auc"] == pytest.approx(0.5, abs=0.02)


def test_the_top_of_a_slate_is_drawn_for_every_ranker(dataset: Dataset) -> None:
    lines = ndcg_by_depth(dataset, {"perfect": dataset.labels.astype(float)}).axes[0].lines
    assert np.asarray(lines[0].get_ydata()) == pytest.approx(np.ones(30))
