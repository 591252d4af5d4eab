from dataclasses import replace

from training.data.dataset import Dataset
from training.data.split import temporal_split
from training.ranker.parameters import TrainingParameters
from training.ranker.search import RANGES, Trial, search

FAST = TrainingParameters(rounds=30, early_stopping_rounds=10, threads=1)


def test_a_search_finds_no_worse_than_what_it_began_with(dataset: Dataset) -> None:
    poor = replace(FAST, learning_rate=0.01, num_leaves=2, min_data_in_leaf=400)
    tried: list[Trial] = []
    best = search(temporal_split(dataset), 4, poor, on_trial=tried.append)
    assert [trial.number for trial in tried] == [1, 2, 3, 4]
    assert all(getattr(tried[0].ranker.parameters, name) == getattr(poor, name) for name in RANGES)
    assert best.quality == max(trial.quality for trial in tried) > tried[0].quality


def test_what_was_found_is_trained_like_anything_else(dataset: Dataset) -> None:
    best = search(temporal_split(dataset), 1, FAST)
    assert best.ranker.parameters == FAST.resolved()


def test_the_same_seed_tries_the_same(dataset: Dataset) -> None:
    found = [search(temporal_split(dataset), 2, replace(FAST, seed=seed)).ranker.parameters for seed in (1, 1, 2)]
    assert found[0] == found[1]
    tried: list[list[Trial]] = [[], []]
    for trials, seed in zip(tried, (1, 2), strict=True):
        search(temporal_split(dataset), 2, replace(FAST, seed=seed), on_trial=trials.append)
    assert tried[0][1].ranker.parameters.num_leaves != tried[1][1].ranker.parameters.num_leaves
