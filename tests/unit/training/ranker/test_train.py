import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_svmlight_file

from photofeed.features.ranking import FEATURE_NAMES
from training.data.dataset import Dataset
from training.data.labels import UNWELCOME
from training.data.split import temporal_split
from training.data.window import Window
from training.evaluation.plots import importance, learning_curve
from training.ranker.parameters import DEBIASED_LEARNING_RATE, TrainingParameters
from training.ranker.train import MIN_ROUNDS, best_iteration, train
from training.statistics.metrics import auc, ndcg, rank_slates

FAST = TrainingParameters(rounds=30, early_stopping_rounds=10, threads=1)


def _mean_ndcg(dataset: Dataset, scores: np.ndarray, k: int) -> float:
    return float(np.nanmean(ndcg(rank_slates(dataset.labels, scores, dataset.group_sizes), k)))


def test_a_taste_that_a_feature_tells_is_learned(dataset: Dataset) -> None:
    parts = temporal_split(dataset)
    ranker = train(parts.train, parts.validation, FAST)
    assert _mean_ndcg(parts.test, ranker.score(parts.test.matrix), 10) > 0.85


@pytest.mark.parametrize(("before", "after"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_threads_sleep_while_they_wait_unless_an_operator_decides_otherwise(
    monkeypatch: pytest.MonkeyPatch, dataset: Dataset, before: str | None, after: str
) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", before or "")
    if before is None:
        monkeypatch.delenv("OMP_WAIT_POLICY")
    parts = temporal_split(dataset)
    train(parts.train, parts.validation, TrainingParameters(rounds=3, threads=1))
    assert os.environ["OMP_WAIT_POLICY"] == after


def test_what_people_do_not_want_is_learned_also_from_slates_without_engagement(
    make_dataset: Callable[..., Dataset],
) -> None:
    """With gains below 0, LightGBM would learn the reverse from such slates: their best DCG is negative."""
    dataset = make_dataset(slates=200, informative=False)
    sign = dataset.matrix[:, FEATURE_NAMES.index("topic_hides_30d")]
    slate = np.repeat(np.arange(200), 12)
    dataset.labels[:] = np.where(slate % 4 == 0, dataset.labels, 0)
    dataset.labels[sign > 1.0] = UNWELCOME
    parts = temporal_split(dataset)
    scores = train(parts.train, parts.validation, replace(FAST, monotone=False)).score(parts.test.matrix)
    unwelcome = parts.test.labels == UNWELCOME
    assert auc(unwelcome.astype(np.int32), -scores) > 0.95


def test_the_same_seed_gives_the_same_model_bit_for_bit(dataset: Dataset) -> None:
    parts = temporal_split(dataset)
    models = [train(parts.train, parts.validation, replace(FAST, seed=seed)).text for seed in (1, 1, 2)]
    assert models[0] == models[1] != models[2]


def test_training_stops_when_the_validation_part_no_longer_gains(make_dataset: Callable[..., Dataset]) -> None:
    parts = temporal_split(make_dataset(informative=False))
    told: list[int] = []
    ranker = train(
        parts.train, parts.validation, replace(FAST, rounds=500), lambda iteration, _: told.append(iteration)
    )
    assert told == list(range(1, len(ranker.history["ndcg_10"]) + 1))
    assert len(told) < 500
    assert ranker.booster().num_trees() == ranker.iterations <= len(told)


def test_the_number_of_trees_is_not_chosen_by_a_single_lucky_iteration() -> None:
    rising = np.concatenate([np.linspace(0.5, 0.7, 120), np.linspace(0.7, 0.6, 80)])
    rising[70] = 0.9
    assert 100 < best_iteration(rising.tolist()) < 140
    assert best_iteration([0.7] + [0.5] * 99) >= MIN_ROUNDS
    assert best_iteration([0.5, 0.6]) == 2
    peak = -np.abs(np.arange(1, 201) - 120.0)
    assert best_iteration(peak.tolist()) == 120


def test_without_a_refit_the_model_has_the_chosen_number_of_trees(dataset: Dataset) -> None:
    parts = temporal_split(dataset)
    ranker = train(parts.train, parts.validation, replace(FAST, rounds=200, refit=False))
    assert ranker.booster().num_trees() == ranker.iterations == best_iteration(ranker.history["ndcg_10"])


def test_a_taste_that_is_new_is_learned_from_the_newest_slates(make_dataset: Callable[..., Dataset]) -> None:
    before, since = make_dataset(slates=100, informative=False), make_dataset(slates=60, seed=5)
    validation, test = since.between(0, 40), since.between(40, 60)
    quality = {
        refit: _mean_ndcg(test, train(before, validation, replace(FAST, refit=refit)).score(test.matrix), 10)
        for refit in (False, True)
    }
    assert quality[True] > quality[False] + 0.05


def test_more_of_what_should_help_never_ranks_lower(dataset: Dataset) -> None:
    parts = temporal_split(dataset)
    ranker = train(parts.train, parts.validation, FAST)
    row = np.repeat(dataset.matrix[:1], 50, axis=0)
    row[:, FEATURE_NAMES.index("topic_engagement_rate")] = np.linspace(-3, 3, 50)
    assert (np.diff(ranker.score(row)) >= 0).all()


def test_what_stood_on_top_is_not_mistaken_for_what_is_liked(make_dataset: Callable[..., Dataset]) -> None:
    """With clicks that fall with the position, and a feature that only tells the position, debiasing must help."""
    dataset = make_dataset(slates=600, size=10)
    rng = np.random.default_rng(1)
    leak = FEATURE_NAMES.index("post_likes_1h")
    dataset.matrix[:, leak] = -dataset.positions + rng.normal(scale=2, size=len(dataset))
    examined = rng.random(len(dataset)) < 1 / (1 + dataset.positions)
    seen = replace(dataset, labels=np.where(examined, dataset.labels, 0).astype(np.int32))
    parts, truth = temporal_split(seen), temporal_split(dataset).test
    quality = {
        debias: _mean_ndcg(
            truth,
            train(parts.train, parts.validation, replace(FAST, debias_position=debias)).score(truth.matrix),
            10,
        )
        for debias in (False, True)
    }
    assert quality[True] > quality[False]


def test_pictures_of_a_training_can_be_drawn(dataset: Dataset, tmp_path: Path) -> None:
    parts = temporal_split(dataset)
    ranker = train(parts.train, parts.validation, FAST)
    for name, figure in (("importance", importance(ranker)), ("curve", learning_curve(ranker))):
        figure.savefig(tmp_path / f"{name}.png")
        assert (tmp_path / f"{name}.png").stat().st_size > 5000
    labels = [text.get_text() for text in importance(ranker).axes[0].get_yticklabels()]
    assert labels[-1] == "topic_engagement_rate"


def test_lightgbm_ranking_example_is_learned_as_well_as_published(samples: Path) -> None:
    """LightGBM's own test asks for NDCG@3 > .578 of this example; issue 5 asks for .585 of us."""
    learned, unseen = (_example(samples / "lambdarank", part) for part in ("train", "test"))
    ranker = train(learned.between(0, 160), learned.between(160, learned.slates), TrainingParameters(threads=1))
    assert _mean_ndcg(unseen, ranker.score(unseen.matrix), 3) >= 0.585


def test_debiased_training_sees_through_clicks_on_what_stood_on_top(samples: Path) -> None:
    """LightGBM's example, shown ten times in the order of one feature (noise added) and clicked: judged by true labels.

    Like LightGBM's own test of positions, which asks for a gain of .03 in NDCG@3 too. Decision 32 has ten seeds.
    """
    learned, unseen = (_example(samples / "lambdarank", part) for part in ("train", "test"))
    quality: dict[bool, list[float]] = {False: [], True: []}
    for seed in (0, 1, 2):
        clicked = [_clicked(learned.between(*bounds), seed) for bounds in ((0, 160), (160, learned.slates))]
        for debias, found in quality.items():
            parameters = TrainingParameters(
                rounds=60, threads=1, debias_position=debias, learning_rate=DEBIASED_LEARNING_RATE
            )
            ranker = train(clicked[0], clicked[1], parameters)
            found.append(_mean_ndcg(unseen, ranker.score(unseen.matrix), 3))
    assert np.mean(quality[True]) >= np.mean(quality[False]) + 0.03


def _clicked(part: Dataset, seed: int, *, sessions: int = 10, shown_by: int = 33) -> Dataset:
    """What people click of slates ordered by a poor ranker: the lower, the less is looked at, as 1 / place."""
    rng = np.random.default_rng(seed)
    shown = part
    for _ in range(sessions - 1):
        shown = shown.followed_by(part)
    score = shown.matrix[:, shown_by] / shown.matrix[:, shown_by].std() + rng.normal(scale=0.5, size=len(shown))
    slates = np.repeat(np.arange(shown.slates), shown.group_sizes)
    first = np.repeat(np.cumsum(shown.group_sizes) - shown.group_sizes, shown.group_sizes)
    positions = np.empty(len(shown), dtype=np.int32)
    positions[np.lexsort((-score, slates))] = np.arange(len(shown)) - first
    examined = rng.random(len(shown)) < 1 / (1 + positions)
    attractive = rng.random(len(shown)) < np.array([0.05, 0.3, 0.5, 0.7, 0.9])[shown.labels]
    return replace(shown, labels=(examined & attractive).astype(np.int32), positions=positions)


def _example(folder: Path, part: str) -> Dataset:
    matrix, labels = load_svmlight_file(str(folder / f"rank.{part}"), n_features=301)
    sizes = np.loadtxt(folder / f"rank.{part}.query", dtype=np.int32)
    nobody = np.zeros(len(labels), dtype=np.int64)
    return Dataset(
        matrix=matrix.toarray().astype(np.float32),
        labels=labels.astype(np.int32),
        group_sizes=sizes,
        positions=nobody.astype(np.int32),
        user_ids=nobody,
        post_ids=nobody,
        creator_ids=nobody,
        slate_start_us=np.arange(len(sizes)),
        feature_names=tuple(f"feature_{i}" for i in range(matrix.shape[1])),
        window=Window(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)),
    )
