from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from photofeed.features.ranking import FEATURE_NAMES
from training.data.dataset import Dataset
from training.data.window import Window


def _make_dataset(slates: int = 120, size: int = 12, *, seed: int = 3, informative: bool = True) -> Dataset:
    """Slates whose posts are engaged with the more, the higher their first feature (or at random)."""
    rng = np.random.default_rng(seed)
    rows = slates * size
    matrix = rng.normal(size=(rows, len(FEATURE_NAMES))).astype(np.float32)
    taste = matrix[:, FEATURE_NAMES.index("topic_engagement_rate")] if informative else rng.normal(size=rows)
    return Dataset(
        matrix=matrix,
        labels=np.clip(np.round(taste + rng.normal(scale=0.5, size=rows)), 0, 4).astype(np.int32),
        group_sizes=np.full(slates, size, dtype=np.int32),
        positions=np.tile(np.arange(size, dtype=np.int32), slates),
        user_ids=np.repeat(np.arange(slates) % 7, size),
        post_ids=rng.integers(0, 50, rows),
        creator_ids=rng.integers(0, 9, rows),
        slate_start_us=np.arange(slates) * 1_000_000,
        feature_names=FEATURE_NAMES,
        window=Window(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)),
    )


@pytest.fixture
def dataset() -> Dataset:
    return _make_dataset()


@pytest.fixture(scope="session")
def make_dataset() -> Callable[..., Dataset]:
    return _make_dataset


@pytest.fixture
def resident() -> Callable[[NDArray[np.float32]], int]:
    """How many bytes of an array's mapping are in this process' memory."""

    def of(array: NDArray[np.float32]) -> int:
        inside = False
        for line in Path("/proc/self/smaps").read_text().splitlines():
            name, *values = line.split()
            if "-" in name:
                first, end = (int(bound, 16) for bound in name.split("-"))
                inside = first <= array.ctypes.data < end
            elif inside and name == "Rss:":
                return int(values[0]) * 1024
        raise AssertionError("the array is in no mapping")

    return of
