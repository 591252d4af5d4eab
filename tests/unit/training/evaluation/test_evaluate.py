from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from photofeed.features.ranking import FEATURE_NAMES
from serving.feed.candidates import Candidates
from serving.feed.features import FeatureMatrix
from serving.feed.scorers.popularity import PopularityScorer
from training.data.dataset import Dataset
from training.errors import FeaturesError
from training.evaluation import baselines
from training.evaluation.evaluate import evaluate, measure
from training.evaluation.plots import ndcg_by_depth
from training.evaluation.segments import SEGMENTS
from training.statistics.calibration import calibration_error, engagement_chance, log_loss
from training.statistics.metrics import auc, average_precision, ndcg, rank_slates


def test_a_ranker_that_knows_the_labels_is_perfect(dataset: Dataset) -> None:
    measured = measure(dataset, dataset.labels.astype(float))
    assert {name: measured[name] for name in ("ndcg_5", "ndcg_10", "ndcg_30", "map", "auc")} == pytest.approx(
        {"ndcg_5": 1, "ndcg_10": 1, "ndcg_30": 1, "map": 1, "auc": 1}
    )
    assert measured["log_loss"] < 0.1
    assert measured["ece"] < 0.05


def test_baselines_rank_by_what_they_are_called(dataset: Dataset) -> None:
    newest = dataset.matrix[:, FEATURE_NAMES.index("post_age_hours")].argmin()
    assert baselines.baseline_scores(dataset, "recency").argmax() == newest
    engaging = dataset.matrix[:, FEATURE_NAMES.index("post_engagement_rate")].argmax()
    assert baselines.baseline_scores(dataset, "engagement_rate").argmax() == engaging


def test_the_baseline_popularity_ranks_as_the_feed_does_without_a_model(dataset: Dataset) -> None:
    """Also a log of clicks without likes has a popularity."""
    dataset.matrix[:, FEATURE_NAMES.index("post_likes_24h")] = 0
    dataset.matrix[:5, FEATURE_NAMES.index("post_age_hours")] = np.nan
    served = PopularityScorer().score(Candidates.empty(), FeatureMatrix(dataset.matrix, FEATURE_NAMES))
    assert np.array_equal(baselines.baseline_scores(dataset, "popularity"), served)
    assert len(np.unique(served)) > 100


def test_every_ranker_is_measured_beside_every_baseline(dataset: Dataset) -> None:
    evaluation = evaluate(dataset, {"model": dataset.labels.astype(float), "champion": np.zeros(len(dataset))})
    assert set(evaluation.rankers) == {"model", "champion", *baselines.NAMES}
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
    likes = FEATURE_NAMES.index("post_engagement_rate")
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
    at = FEATURE_NAMES.index("post_engagement_rate")
    names = tuple(name for name in FEATURE_NAMES if name != "post_engagement_rate")
    without = replace(dataset, feature_names=names, matrix=np.delete(dataset.matrix, at, axis=1))
    with pytest.raises(FeaturesError, match="popularity ranks by post_engagement_rate"):
        evaluate(without, {"model": dataset.labels.astype(float)})


def test_metrics_are_those_of_the_statistics_they_name(make_dataset: Callable[..., Dataset]) -> None:
    """Slates of different length, and a ranker that is neither perfect nor blind."""
    dataset = make_dataset(slates=40)
    dataset.group_sizes[:20], dataset.group_sizes[20:] = 8, 16
    scores = dataset.labels + np.random.default_rng(1).normal(scale=2, size=len(dataset))
    slates = np.repeat(np.arange(40), dataset.group_sizes)
    ranked = rank_slates(dataset.labels, scores, dataset.group_sizes)
    chance = engagement_chance(dataset.labels > 0, scores, slates)
    measured = measure(dataset, scores)
    assert measured["ndcg_30"] == pytest.approx(np.nanmean(ndcg(ranked, 30)))
    assert measured["map"] == pytest.approx(np.nanmean(average_precision(ranked)))
    assert measured["auc"] == pytest.approx(auc(dataset.labels, scores))
    assert measured["log_loss"] == pytest.approx(log_loss(dataset.labels > 0, chance).mean())
    assert measured["ece"] == pytest.approx(calibration_error(dataset.labels > 0, chance, slates, 40).value)


def test_coverage_is_the_share_of_posts_that_reach_the_first_ten(dataset: Dataset) -> None:
    dataset.post_ids[:] = np.tile(np.arange(12), dataset.slates)
    newest = np.tile(-np.arange(12.0), dataset.slates)
    measured = measure(dataset, newest)
    assert measured["coverage_10"] == pytest.approx(10 / 12)
    assert measured["gini_10"] == pytest.approx(2 / 12)


def test_random_is_the_mean_of_several_draws(dataset: Dataset) -> None:
    draws = [measure(dataset, baselines.baseline_scores(dataset, "random", seed=seed))["auc"] for seed in range(10)]
    evaluation = evaluate(dataset, {"model": dataset.labels.astype(float)})
    assert evaluation.rankers["random"]["auc"] == pytest.approx(np.mean(draws))
    assert len(set(draws)) == 10


def test_bounds_are_named_and_unknown_ones_left_out(dataset: Dataset) -> None:
    flat = evaluate(dataset, {"model": dataset.labels.astype(float) + dataset.matrix[:, 0]}).flat()
    assert flat["over_random_ndcg_10_low"] < flat["over_random_ndcg_10"] < flat["over_random_ndcg_10_high"]
    assert "coverage_10" in flat
    assert "coverage_10_low" not in flat
    assert not np.isnan(list(flat.values())).any()
    assert not any("all" in name.split("_") for name in flat)


def test_without_a_model_there_are_no_differences(dataset: Dataset) -> None:
    evaluation = evaluate(dataset, {"champion": dataset.labels.astype(float)})
    assert evaluation.differences == ()
    assert set(evaluation.rankers) == {"champion", *baselines.NAMES}
    differences = evaluate(dataset, {"model": dataset.labels.astype(float)}).differences
    assert {difference.ranker for difference in differences} == set(baselines.NAMES)


def test_popularity_is_the_mean_percentile_of_rates_with_ties_in_the_middle(dataset: Dataset) -> None:
    dataset.matrix[:, FEATURE_NAMES.index("post_engagement_rate")] = 3
    assert measure(dataset, np.zeros(len(dataset)))["popularity_10"] == pytest.approx(0.5)
