from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from photofeed.errors import InvalidError
from photofeed.features.ranking import FEATURE_NAMES, RANKING_FEATURES
from training.data.dataset import Dataset
from training.data.labels import HEAD_WEIGHTS
from training.data.split import temporal_split
from training.ranker.heads import train_heads
from training.ranker.lightgbm_params import lightgbm_params
from training.ranker.parameters import (
    DEBIASED_LEARNING_RATE,
    DEFAULTS,
    EVENTS_PER_FEATURE,
    LEARNING_RATE,
    TrainingParameters,
)
from training.ranker.train import train
from training.statistics.metrics import ndcg, rank_slates


@pytest.mark.parametrize(
    ("parameters", "rate"),
    [
        (DEFAULTS, LEARNING_RATE),
        (TrainingParameters(debias_position=True), DEBIASED_LEARNING_RATE),
        (replace(DEFAULTS, debias_position=True), DEBIASED_LEARNING_RATE),
        (TrainingParameters(debias_position=True, learning_rate=0.03), 0.03),
        (TrainingParameters(learning_rate=0.2), 0.2),
    ],
    ids=["default", "debiased", "debiased later", "debiased at a rate of one's own", "a rate of one's own"],
)
def test_debiasing_trains_at_its_own_rate_unless_a_rate_is_given(parameters: TrainingParameters, rate: float) -> None:
    assert parameters.resolved().learning_rate == rate
    assert lightgbm_params(parameters, FEATURE_NAMES)["learning_rate"] == rate


def test_rates_are_those_of_adr_32() -> None:
    assert (LEARNING_RATE, DEBIASED_LEARNING_RATE) == (0.03, 0.1)


def test_a_notebook_debiases_at_the_rate_that_its_model_reports(dataset: Dataset) -> None:
    parts = temporal_split(dataset)
    ranker = train(parts.train, parts.validation, TrainingParameters(rounds=3, threads=1, debias_position=True))
    assert "[learning_rate: 0.1]" in ranker.text
    assert ranker.parameters.learning_rate == 0.1  # what MLflow records


def test_the_seed_and_every_other_parameter_reach_lightgbm(make_dataset: Callable[..., Dataset]) -> None:
    parameters = TrainingParameters(
        rounds=5,
        refit=False,
        learning_rate=0.11,
        num_leaves=6,
        min_data_in_leaf=21,
        feature_fraction=0.41,
        bagging_fraction=0.71,
        lambda_l2=1.5,
        truncation_level=17,
        directed_only=False,
        seed=12,
        threads=1,
    )
    parts = temporal_split(make_dataset(slates=60))
    text = train(parts.train, parts.validation, parameters).text
    for line in (
        "learning_rate: 0.11",
        "num_leaves: 6",
        "min_data_in_leaf: 21",
        "feature_fraction: 0.41",
        "bagging_fraction: 0.71",
        "bagging_freq: 1",
        "lambda_l2: 1.5",
        "lambdarank_truncation_level: 17",
        "seed: 12",
        "num_threads: 1",
        "label_gain: 0,2,3,4,6,10,18",
    ):
        assert f"[{line}]" in text


def test_declared_directions_are_held_unless_switched_off() -> None:
    names = (*FEATURE_NAMES, "a_column_of_a_notebook")
    declared = [feature.monotone for feature in RANKING_FEATURES]
    assert any(declared)
    assert lightgbm_params(DEFAULTS, names)["monotone_constraints"] == [*declared, 0]
    assert lightgbm_params(replace(DEFAULTS, monotone=False), names)["monotone_constraints"] == [0] * len(names)


def test_heads_train_at_the_same_rate(dataset: Dataset) -> None:
    outcomes = dict.fromkeys(HEAD_WEIGHTS, dataset.labels > 0)
    parts = temporal_split(replace(dataset, outcomes=outcomes))
    heads = train_heads(parts.train, parts.validation, TrainingParameters(rounds=3, threads=1, learning_rate=0.07))
    assert all("[learning_rate: 0.07]" in text for text in heads.texts.values())
    assert heads.texts


def _with_events(dataset: Dataset, events: int) -> Dataset:
    """The slates of a dataset, of which so many have one post that people engaged with."""
    labels = np.zeros((dataset.slates, len(dataset) // dataset.slates), np.int32)
    best = dataset.matrix[:, FEATURE_NAMES.index("topic_engagement_rate")].reshape(labels.shape).argmax(axis=1)
    chosen = np.linspace(0, dataset.slates - 1, events).astype(int)
    labels[chosen, best[chosen]] = 1
    return replace(dataset, labels=labels.reshape(-1))


def test_with_few_events_only_features_with_a_direction_are_learned_from(make_dataset: Callable[..., Dataset]) -> None:
    dataset = make_dataset(slates=600, size=5)
    enough = EVENTS_PER_FEATURE * len(FEATURE_NAMES)
    directed = {feature.name for feature in RANKING_FEATURES if feature.monotone}
    for share, few in ((1.0, False), (0.5, True)):
        part = _with_events(dataset, round(enough * share))
        assert part.events == round(enough * share)
        ranker = train(part, part, TrainingParameters(rounds=60, threads=1))
        split = dict(zip(FEATURE_NAMES, ranker.booster().feature_importance(), strict=True))
        assert ranker.parameters.directed_only is few
        assert ({name for name, count in split.items() if count} <= directed) is few
        assert split["topic_engagement_rate"] > 0


def test_chance_in_few_events_does_not_outweigh_the_rates(make_dataset: Callable[..., Dataset]) -> None:
    """45 features of chance beside the rates: with few events they cost more than they tell."""
    quality: dict[bool | None, list[float]] = {None: [], False: []}
    for seed in range(2):
        dataset = _with_events(make_dataset(slates=600, size=5, seed=seed), 150)
        flipped = np.random.default_rng(seed).random(dataset.slates) < 0.5
        labels = dataset.labels.reshape(dataset.slates, 5)
        labels[flipped] = labels[flipped][:, ::-1]
        parts = temporal_split(replace(dataset, labels=labels.reshape(-1)))
        for only, found in quality.items():
            parameters = TrainingParameters(rounds=80, directed_only=only, threads=1)
            scores = train(parts.train, parts.validation, parameters).score(parts.test.matrix)
            ranked = rank_slates(parts.test.labels, scores, parts.test.group_sizes)
            found.append(float(np.nanmean(ndcg(ranked, 10))))
    assert np.mean(quality[None]) > np.mean(quality[False]) + 0.02


def test_whoever_wants_directed_features_only_needs_some(dataset: Dataset) -> None:
    names = ("post_likes_24h", "post_likes_1h")
    parts = temporal_split(dataset.only(names))
    assert train(parts.train, parts.validation, TrainingParameters(rounds=5)).parameters.directed_only is False
    with pytest.raises(InvalidError, match="no feature of the program has a declared direction"):
        train(parts.train, parts.validation, TrainingParameters(directed_only=True))
