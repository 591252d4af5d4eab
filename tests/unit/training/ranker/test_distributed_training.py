"""Training on the workers of a Dask cluster: two processes of this machine."""

from collections.abc import Callable, Iterator

import numpy as np
import psutil
import pytest

from photofeed.errors import InvalidError, RetryableError
from training.data.dataset import Dataset
from training.data.split import temporal_split
from training.evaluation.evaluate import measure
from training.ranker.distributed_training import _chunks, dask_trainer
from training.ranker.parameters import TrainingParameters
from training.ranker.train import Trainer, train

FEW = TrainingParameters(rounds=60, early_stopping_rounds=60, threads=1)


@pytest.fixture(scope="module")
def on_two() -> Iterator[Trainer]:
    before = set(psutil.Process().children(recursive=True))
    with dask_trainer("local:2") as trainer:
        yield trainer
    left = set(psutil.Process().children(recursive=True)) - before
    assert not [process for process in left if "spawn_main" in " ".join(process.cmdline())]


def test_two_workers_rank_as_well_as_one_process(on_two: Trainer, make_dataset: Callable[..., Dataset]) -> None:
    parts = temporal_split(make_dataset(slates=6000))
    together = on_two(parts.train, parts.validation, FEW)
    alone = train(parts.train, parts.validation, FEW)
    quality = [measure(parts.test, ranker.score(parts.test.matrix))["ndcg_10"] for ranker in (together, alone)]
    # each worker samples rows of its own, and Dask decides which rows those are: repeated runs differ by up to .002
    assert abs(quality[0] - quality[1]) < 0.01
    assert "[num_machines: 2]" in together.text
    assert together.feature_names == alone.feature_names
    assert together.booster().feature_name() == alone.booster().feature_name()
    assert together.booster().num_trees() == together.iterations


def test_every_tree_is_told_of(on_two: Trainer, dataset: Dataset) -> None:
    parts = temporal_split(dataset)
    told: list[int] = []
    ranker = on_two(parts.train, parts.validation, FEW, lambda tree, _: told.append(tree))
    assert told == list(range(1, 61))
    assert len(ranker.history["ndcg_10"]) == 60


def test_slates_are_never_parted() -> None:
    sizes = np.array([1, 30, 2, 2, 40, 1, 1, 25], dtype=np.int32)
    slates, rows = _chunks(sizes, 3)
    assert sum(slates) == len(sizes)
    assert len(slates) == len(rows) == 3
    ends = np.cumsum(slates)
    assert np.array_equal(np.cumsum(rows), np.cumsum(sizes)[ends - 1])
    assert _chunks(sizes[:2], 8)[0] == (1, 1)


def test_what_is_no_cluster_is_said() -> None:
    with pytest.raises(InvalidError, match="tcp://host:port or local:2"), dask_trainer("local:0"):
        pass


def test_a_cluster_that_does_not_answer_is_said() -> None:
    nowhere = dask_trainer("tcp://127.0.0.1:9", timeout_seconds=0.2)
    with (
        pytest.raises(RetryableError, match=r"no Dask scheduler with workers answers at tcp://127\.0\.0\.1:9"),
        nowhere,
    ):
        pass


def test_what_many_machines_cannot_train_is_refused(on_two: Trainer, dataset: Dataset) -> None:
    parts = temporal_split(dataset)
    with pytest.raises(InvalidError, match="position bias"):
        on_two(parts.train, parts.validation, TrainingParameters(debias_position=True))
