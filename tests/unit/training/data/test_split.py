import copy
from dataclasses import replace

import numpy as np
import pytest

from photofeed.events import Action
from training.data.dataset import Dataset
from training.data.split import MIN_CONTRASTS, MIN_SLATES, temporal_split
from training.errors import OneClassError, TooFewSlatesError


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


def test_slates_that_tell_nothing_are_too_few(dataset: Dataset) -> None:
    """Plenty of slates, and in the test part only two have posts of different labels."""
    dataset.labels[102 * 12 :] = 1
    dataset.labels[[102 * 12, 105 * 12]] = 0
    with pytest.raises(TooFewSlatesError, match="2 of 18 slates of the test part have posts of different labels"):
        temporal_split(dataset)
    dataset.labels[110 * 12] = 0
    assert temporal_split(dataset).test.contrasts == MIN_CONTRASTS["test"]


def test_the_fewest_slates_that_are_enough(dataset: Dataset) -> None:
    assert temporal_split(dataset.between(0, MIN_SLATES)).train.slates == 14


def test_shares_are_shares_of_the_slates(dataset: Dataset) -> None:
    parts = temporal_split(dataset, validation_share=0.2, test_share=0.3)
    assert [part.slates for part in (parts.train, parts.validation, parts.test)] == [60, 24, 36]


@pytest.mark.parametrize(("part", "slates"), [("train", (0, 84)), ("validation", (84, 102)), ("test", (102, 120))])
def test_a_part_with_one_label_is_refused(dataset: Dataset, part: str, slates: tuple[int, int]) -> None:
    dataset.labels[slates[0] * 12 : slates[1] * 12] = 2
    with pytest.raises(OneClassError, match=f"the label is 2 for all impressions of the {part} part"):
        temporal_split(dataset)


def test_parts_carry_the_outcomes_of_their_rows(dataset: Dataset) -> None:
    liked = np.arange(len(dataset)) % 7 == 0
    parts = temporal_split(replace(dataset, outcomes={Action.LIKE: liked}))
    assert np.array_equal(parts.test.outcomes[Action.LIKE], liked[102 * 12 :])
    both = parts.train.followed_by(parts.validation)
    assert np.array_equal(both.outcomes[Action.LIKE], liked[: 102 * 12])
    assert np.array_equal(both.slate_start_us, dataset.slate_start_us[:102])


def test_the_digest_changes_with_features_labels_and_groups(dataset: Dataset) -> None:
    other_features, other_labels, other_groups = (copy.deepcopy(dataset) for _ in range(3))
    other_features.matrix[3, 3] += 1
    other_labels.labels[5] += 1
    other_groups.group_sizes[:2] = 11, 13
    digests = [each.digest for each in (dataset, other_features, other_labels, other_groups)]
    assert len(set(digests)) == 4
    assert copy.deepcopy(dataset).digest == dataset.digest


def test_parts_of_different_datasets_are_copied(dataset: Dataset) -> None:
    """Also where the second lies behind the first in memory, as arrays of one allocation may."""
    other = copy.deepcopy(dataset)
    joined = dataset.between(0, 10).followed_by(other.between(10, 20))
    assert not np.shares_memory(joined.matrix, dataset.matrix)
    assert np.array_equal(joined.matrix, dataset.between(0, 20).matrix)
