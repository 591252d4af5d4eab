from dataclasses import replace

import numpy as np
import pytest

from photofeed.features.ranking import FEATURE_NAMES
from training import baselines
from training.dataset import Dataset
from training.errors import FeaturesError
from training.evaluate import evaluate, measure
from training.plots import ndcg_by_depth
from training.segments import SEGMENTS


def test_a_ranker_that_knows_the_labels_is_perfect(dataset: Dataset) -> None:
    measured = measure(dataset, dataset.labels.astype(float))
    assert {name: measured[name] for name in ("ndcg_5", "ndcg_10", "ndcg_30", "map", "auc")} == pytest.approx(
        {"ndcg_5": 1, "ndcg_10": 1, "ndcg_30": 1, "map": 1, "auc": 1}
    )
    assert measured["log_loss"] < 0.1
    assert measured["ece"] < 0.05


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
    assert flat["over_champion_ndcg_10_low"] > 0.05


def test_every_segment_is_measured_for_every_ranker(dataset: Dataset) -> None:
    dataset.matrix[:, FEATURE_NAMES.index("is_reel")] = np.arange(len(dataset)) % 3 == 0
    frame = evaluate(dataset, {"model": dataset.labels.astype(float)}).frame()
    of_reels = frame[(frame.ranker == "model") & (frame.segment == "reels") & (frame.metric == "ndcg_10")]
    assert of_reels.value.tolist() == pytest.approx([1])
    assert set(frame.segment) == {"all", *(segment.name for segment in SEGMENTS)}


def test_a_model_that_fails_a_segment_shows_it_there(dataset: Dataset) -> None:
    """Good on average and bad on reels: the average alone would hide it."""
    reel = np.arange(len(dataset)) % 6 == 0
    dataset.matrix[:, FEATURE_NAMES.index("is_reel")] = reel
    right = dataset.labels.astype(float)
    evaluation = evaluate(dataset, {"model": np.where(reel, -right, right), "champion": right})
    assert evaluation.difference("champion", "ndcg_10", "reels").high < -0.1
    assert evaluation.difference("champion", "ndcg_10", "photos").value == pytest.approx(0)


def test_equal_rankers_differ_by_nothing_and_two_runs_agree(dataset: Dataset) -> None:
    scores = dataset.matrix[:, 0].astype(float)
    evaluation, again = (evaluate(dataset, {"model": scores, "champion": scores}) for _ in range(2))
    assert not evaluation.difference("champion", "ndcg_10").clear
    assert evaluation.flat() == again.flat()


def test_a_ranker_of_what_is_popular_is_told_from_one_of_chance(dataset: Dataset) -> None:
    """Popularity bias: who always shows the same few posts shows less of the catalogue, and less equally."""
    likes = FEATURE_NAMES.index("post_likes_24h")
    dataset.matrix[:, likes] = dataset.post_ids % 7 + dataset.post_ids / 100
    by_likes = dataset.matrix[:, likes].astype(float)
    rankers = evaluate(dataset, {"model": by_likes}).rankers
    assert rankers["model"]["popularity_10"] > rankers["random"]["popularity_10"] + 0.02
    assert rankers["model"]["gini_10"] > rankers["random"]["gini_10"]


def test_freshness_and_diversity_are_those_of_the_top(dataset: Dataset) -> None:
    dataset.matrix[:, FEATURE_NAMES.index("post_age_hours")] = np.tile(np.arange(12), dataset.slates)
    dataset.creator_ids[:] = np.tile([0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 3], dataset.slates)
    newest_first = measure(dataset, baselines.baseline_scores(dataset, "recency"))
    assert newest_first["age_hours_10"] == pytest.approx(4.5)
    assert newest_first["author_diversity_10"] == pytest.approx(0.2)


def test_the_top_of_a_slate_is_drawn_for_every_ranker(dataset: Dataset) -> None:
    lines = ndcg_by_depth(dataset, {"perfect": dataset.labels.astype(float)}).axes[0].lines
    assert np.asarray(lines[0].get_ydata()) == pytest.approx(np.ones(30))


def test_one_persons_slates_are_enough_to_measure(dataset: Dataset) -> None:
    dataset.user_ids[:] = 1
    evaluation = evaluate(dataset, {"model": dataset.labels.astype(float)})
    assert evaluation.difference("random", "ndcg_10").clear


def test_a_feature_that_is_missing_is_named(dataset: Dataset) -> None:
    at = FEATURE_NAMES.index("post_likes_24h")
    names = tuple(name for name in FEATURE_NAMES if name != "post_likes_24h")
    without = replace(dataset, feature_names=names, matrix=np.delete(dataset.matrix, at, axis=1))
    with pytest.raises(FeaturesError, match="popularity ranks by post_likes_24h"):
        evaluate(without, {"model": dataset.labels.astype(float)})
