import resource
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from photofeed.errors import RetryableError
from photofeed.offline_store.lake import Lake
from tests.doubles.object_store import InMemoryObjectStore
from training.data.dataset import Dataset
from training.data.matrix_on_disk import (
    ROWS_AT_ONCE,
    columns,
    keep_releasing_pages,
    matrix_on_disk,
    pieces,
    release_pages,
)
from training.data.raw_logs import RawLogs
from training.data.split import temporal_split
from training.ranker.parameters import TrainingParameters
from training.ranker.train import train

Resident = Callable[[NDArray[np.float32]], int]


def test_what_is_let_go_is_out_of_memory_and_not_lost(tmp_path: Path, resident: Resident) -> None:
    """Also when only a part of the matrix is at hand, or a part made of two neighbours."""
    matrix = matrix_on_disk(10_000, 8, tmp_path)
    numbers = np.arange(matrix.size, dtype=np.float32).reshape(matrix.shape)
    matrix[:] = numbers
    for part in (matrix, matrix[5:7], matrix[:, 3], np.lib.stride_tricks.as_strided(matrix[:5], (10, 8))):
        assert matrix.sum() > 0
        assert resident(matrix) >= matrix.nbytes
        release_pages(part)
        assert resident(matrix) == 0
    assert np.array_equal(matrix, numbers)
    assert not list(tmp_path.iterdir())  # and nothing is left behind


def test_arrays_that_are_nowhere_else_keep_what_they_hold(tmp_path: Path) -> None:
    np.save(tmp_path / "kept.npy", np.zeros((2000, 2), np.float32))
    for matrix in (np.zeros((2000, 2), np.float32), np.load(tmp_path / "kept.npy", mmap_mode="c")):
        matrix[:] = 7
        release_pages(matrix)
        assert (matrix == 7).all()


def test_pieces_are_all_rows_and_few_of_them_in_memory(tmp_path: Path, resident: Resident) -> None:
    matrix = matrix_on_disk(2 * ROWS_AT_ONCE + 5, 4, tmp_path)
    lengths = []
    for number, piece in enumerate(pieces(matrix)):
        piece[:] = number
        lengths.append(len(piece))
        assert resident(matrix) <= ROWS_AT_ONCE * 4 * 4 + 2**16
    assert lengths == [ROWS_AT_ONCE, ROWS_AT_ONCE, 5]
    assert np.array_equal(np.unique(matrix[:, 0], return_counts=True)[1], lengths)


def test_columns_are_all_columns_and_little_of_the_matrix_in_memory(tmp_path: Path, resident: Resident) -> None:
    matrix = matrix_on_disk(ROWS_AT_ONCE + 5, 11, tmp_path)
    matrix[:] = np.arange(matrix.size, dtype=np.float32).reshape(matrix.shape)
    expected = matrix.copy()
    for number, column in enumerate(columns(matrix)):
        assert np.array_equal(column, expected[:, number])
        assert resident(matrix) == 0
    assert number == 10


def test_a_matrix_that_others_read_is_let_go_while_they_do(tmp_path: Path, resident: Resident) -> None:
    matrix = matrix_on_disk(10_000, 8, tmp_path)
    with keep_releasing_pages(matrix):
        matrix[:] = 7
        assert any(resident(matrix) == 0 for _ in range(100_000))
        assert (matrix == 7).all()
    assert resident(matrix) == 0


@pytest.mark.parametrize("refit", [False, True])
def test_a_matrix_on_disk_makes_the_same_model_bit_for_bit_and_is_let_go(
    dataset: Dataset, tmp_path: Path, resident: Resident, *, refit: bool
) -> None:
    on_disk = matrix_on_disk(len(dataset), len(dataset.feature_names), tmp_path)
    on_disk[:] = dataset.matrix
    rankers = []
    for each in (dataset, replace(dataset, matrix=on_disk)):
        parts = temporal_split(each)
        rankers.append(train(parts.train, parts.validation, TrainingParameters(rounds=30, refit=refit, threads=1)))
    assert rankers[0].text == rankers[1].text
    assert resident(on_disk) == 0
    assert replace(dataset, matrix=on_disk).digest == dataset.digest


def test_a_disk_without_room_is_an_error_before_anything_is_read(tmp_path: Path) -> None:
    logs = RawLogs(Lake(InMemoryObjectStore(), tmp_path), "lake")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, limits[1]))
    try:
        with pytest.raises(RetryableError, match="no disk space for the features of 1000000 impressions"):
            logs.matrix(1_000_000, 48)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
