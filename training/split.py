"""The temporal split: train on what came first, stop early on what came next, judge on what came last."""

from dataclasses import dataclass

from training.dataset import Dataset
from training.errors import OneClassError, TooFewSlatesError

VALIDATION_SHARE = 0.15
TEST_SHARE = 0.15
FEWEST_SLATES = 20


@dataclass(frozen=True, slots=True)
class Split:
    """Three parts of a dataset, one after the other in time, slates kept whole; they share the dataset's memory."""

    train: Dataset
    validation: Dataset
    test: Dataset


def temporal_split(
    dataset: Dataset, *, validation_share: float = VALIDATION_SHARE, test_share: float = TEST_SHARE
) -> Split:
    """Split by slates, shares counted in slates.

    Raises:
        TooFewSlatesError: fewer than FEWEST_SLATES.
        OneClassError: one of the parts has only one label.
    """
    if dataset.slates < FEWEST_SLATES:
        raise TooFewSlatesError(
            f"{dataset.slates} slates from {dataset.window}; training takes at least {FEWEST_SLATES}"
        )
    test_from = round(dataset.slates * (1 - test_share))
    validation_from = round(dataset.slates * (1 - test_share - validation_share))
    parts = Split(
        train=dataset.between(0, validation_from),
        validation=dataset.between(validation_from, test_from),
        test=dataset.between(test_from, dataset.slates),
    )
    for name in Split.__slots__:
        labels = getattr(parts, name).labels
        if (labels == labels[0]).all():
            raise OneClassError(f"all impressions of the {name} part have the label {labels[0]}; take a longer window")
    return parts
