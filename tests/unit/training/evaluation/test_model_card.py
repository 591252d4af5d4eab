from pathlib import Path

import numpy as np

from photofeed.features.manifest import FeatureManifest
from photofeed.features.ranking import FEATURE_NAMES
from training.data.dataset import Dataset
from training.data.split import temporal_split
from training.evaluation import plots
from training.evaluation.evaluate import evaluate
from training.evaluation.model_card import model_card
from training.evaluation.segments import SEGMENTS
from training.ranker.parameters import TrainingParameters
from training.ranker.train import train


def test_a_training_is_told_in_words_and_pictures(dataset: Dataset, tmp_path: Path) -> None:
    dataset.matrix[:, FEATURE_NAMES.index("is_reel")] = np.arange(len(dataset)) % 3 == 0
    parts = temporal_split(dataset)
    ranker = train(parts.train, parts.validation, TrainingParameters(rounds=20, threads=1))
    scores = ranker.score(parts.test.matrix)
    evaluation = evaluate(parts.test, {"model": scores})

    card = model_card(ranker, parts, evaluation, FeatureManifest("feed_ranker_v1", ()))
    value = evaluation.rankers["model"]["ndcg_10"]
    assert f"| ndcg_10 | {value:.4f} (" in card
    assert "feed_ranker_v1" in card
    assert "| train | 84 | 1008 |" in card
    for named in (*FEATURE_NAMES, *(segment.name for segment in SEGMENTS), "recency", "popularity", "random"):
        assert named in card
    assert "nan" not in card

    figures = {
        "shap": plots.shap_summary(ranker, parts.test),
        "calibration": plots.calibration(parts.test, {"model": scores}),
        "by_segment": plots.by_segment(evaluation),
        "score_distributions": plots.score_distributions(parts.test, scores),
    }
    for name, figure in figures.items():
        figure.savefig(tmp_path / f"{name}.png")
        assert (tmp_path / f"{name}.png").stat().st_size > 5000
    assert [label.get_text() for label in figures["shap"].axes[0].get_yticklabels()][-1] == "topic_engagement_rate"
    key = figures["shap"].axes[1]
    assert (key.get_ylabel(), [label.get_text() for label in key.get_yticklabels()]) == (
        "value of the feature",
        ["lowest", "highest"],
    )
    told = [label.get_text() for label in figures["by_segment"].axes[0].get_xticklabels()]
    assert told[0] == f"all\n{parts.test.contrasts} slates"
    assert len(told) == 1 + len(SEGMENTS)


def test_what_the_model_was_held_to_is_told(dataset: Dataset) -> None:
    parts = temporal_split(dataset)
    cards = {}
    for only in (False, True):
        ranker = train(parts.train, parts.validation, TrainingParameters(rounds=3, threads=1, directed_only=only))
        evaluation = evaluate(parts.test, {"model": ranker.score(parts.test.matrix)})
        cards[only] = model_card(ranker, parts, evaluation, FeatureManifest("feed_ranker_v1", ()))
    assert "uses no other features than `post_age_hours` (less), `post_engagement_rate` (more)," in cards[True]
    assert "uses no other features" not in cards[False]
    assert "`post_age_hours` (less)" in cards[False]
