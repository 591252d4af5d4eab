"""Ages of stored moments: what the model sees of a post whose time is known, is in the future, or is unknown."""

import numpy as np
import pytest
from numpy.typing import NDArray

from photofeed.features.manifest import FeatureManifest
from photofeed.features.ranking import PROGRAM
from photofeed.features.stored import StoredFeatures
from photofeed.times import MICROSECONDS

NOW = 1_750_000_000.0
POSTED = np.array([NOW - 7200, NOW, NOW + 60, 0, -1]) * MICROSECONDS


def _feature(name: str, columns: dict[str, NDArray[np.int64]], now: float) -> list[float]:
    rows = len(next(iter(columns.values()), [0]))
    column: list[float] = (
        PROGRAM.select([name]).matrix(StoredFeatures(columns, FeatureManifest("service", ()), now), rows)[:, 0].tolist()
    )
    return column


def test_the_model_sees_the_age_in_hours_never_negative_and_nan_where_the_time_is_unknown() -> None:
    columns = {"post_content__posted_at": POSTED.astype(np.int64)}
    np.testing.assert_array_equal(_feature("post_age_hours", columns, NOW), [2.0, 0.0, 0.0, np.nan, np.nan])


@pytest.mark.parametrize(("now", "hour"), [(0.0, 0.0), (5400.0, 1.5), (86_399.0, 86_399 / 3600), (86_400.0, 0.0)])
def test_the_hour_of_day_begins_again_at_midnight_utc(now: float, hour: float) -> None:
    assert _feature("hour_of_day", {}, now) == [pytest.approx(hour)]
