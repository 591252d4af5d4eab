"""The temporal split: the oldest slates for training, the next for early stopping, the newest for the test."""

from dataclasses import dataclass

from training.data.dataset import Dataset, of_one_class
from training.errors import OneClassError, TooFewSlatesError

VALIDATION_SHARE = 0.15
TEST_SHARE = 0.15
MIN_SLATES = 20
# The fewest slates with posts of different labels in each part. Below it, metrics are chance: with three test slates of
# one post each, every ranker had an NDCG of 1.
MIN_CONTRASTS = {"train": 10, "validation": 3, "test": 3}


@dataclass(frozen=True, slots=True)
class Split:
    """Three consecutive parts of a dataset. Slates stay whole, and the parts share the dataset's memory."""

    train: Dataset
    validation: Dataset
    test: Dataset


def temporal_split(
    dataset: Dataset, *, validation_share: float = VALIDATION_SHARE, test_share: float = TEST_SHARE
) -> Split:
    """Split by time. The shares are shares of the slates.

    Raises:
        TooFewSlatesError: there are fewer than MIN_SLATES slates, or than MIN_CONTRASTS of them tell anything.
        OneClassError: all labels of one of the parts are equal.
    """
    if dataset.slates < MIN_SLATES:
        raise TooFewSlatesError(f"{dataset.slates} slates from {dataset.window}: training needs at least {MIN_SLATES}")
    test_from = round(dataset.slates * (1 - test_share))
    validation_from = round(dataset.slates * (1 - test_share - validation_share))
    parts = Split(
        train=dataset.between(0, validation_from),
        validation=dataset.between(validation_from, test_from),
        test=dataset.between(test_from, dataset.slates),
    )
    for name, fewest in MIN_CONTRASTS.items():
        part: Dataset = getattr(parts, name)
        if reason := of_one_class(part.labels):
            raise OneClassError(f"{reason} impressions of the {name} part: use a longer window")
        if part.contrasts < fewest:
            raise TooFewSlatesError(
                f"{part.contrasts} of {part.slates} slates of the {name} part have posts of different labels, required "
                f"{fewest}: use a longer window"
            )
    return parts
