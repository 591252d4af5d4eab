import numpy as np
import pytest

from training.dataset import Dataset
from training.errors import OneClassError, TooFewSlatesError
from training.split import temporal_split


def test_parts_follow_each_other_in_time_and_keep_slates_whole(dataset: Dataset) -> None:
    parts = temporal_split(dataset)
    assert [part.slates for part in (parts.train, parts.validation, parts.test)] == [84, 18, 18]
    assert parts.train.slate_start_us.max() < parts.validation.slate_start_us.min()
    assert parts.validation.slate_start_us.max() < parts.test.slate_start_us.min()
    for part in (parts.train, parts.validation, parts.test):
        assert part.group_sizes.sum() == len(part.labels) == len(part.matrix) == len(part.positions)
    assert np.array_equal(
        np.concatenate([parts.train.labels, parts.validation.labels, parts.test.labels]), dataset.labels
    )


def test_the_split_copies_nothing(dataset: Dataset) -> None:
    assert np.shares_memory(temporal_split(dataset).test.matrix, dataset.matrix)


def test_neighbouring_parts_are_joined_without_a_copy_and_others_by_one(dataset: Dataset) -> None:
    parts = temporal_split(dataset)
    learned = parts.train.followed_by(parts.validation)
    assert np.shares_memory(learned.matrix, dataset.matrix)
    assert learned.digest == dataset.between(0, learned.slates).digest
    apart = parts.train.followed_by(parts.test)
    assert not np.shares_memory(apart.matrix, dataset.matrix)
    assert np.array_equal(apart.labels, np.concatenate([parts.train.labels, parts.test.labels]))


def test_too_few_slates_are_refused(dataset: Dataset) -> None:
    with pytest.raises(TooFewSlatesError, match="19 slates"):
        temporal_split(dataset.between(0, 19))


def test_a_part_with_one_label_is_refused(dataset: Dataset) -> None:
    dataset.labels[-18 * 12 :] = 0
    with pytest.raises(OneClassError, match="test part"):
        temporal_split(dataset)
