"""Ages of stored moments: what the model sees of a post whose time is known, is in the future, or is unknown."""

import numpy as np
import pytest

from photofeed.features.manifest import FeatureManifest
from photofeed.features.program import compute
from photofeed.features.ranking import FEATURE_NAMES, RANKING_FEATURES
from photofeed.features.stored import StoredFeatures
from photofeed.times import MICROSECONDS

NOW = 1_750_000_000.0
POSTED = np.array([NOW - 7200, NOW, NOW + 60, 0, -1]) * MICROSECONDS


def _stored() -> StoredFeatures:
    return StoredFeatures({"post_content__posted_at": POSTED.astype(np.int64)}, FeatureManifest("service", ()), NOW)


def test_the_age_is_nan_where_the_time_is_unknown_and_never_negative() -> None:
    np.testing.assert_array_equal(
        _stored().age_seconds("post_content", "posted_at"), [7200.0, 0.0, 0.0, np.nan, np.nan]
    )


def test_the_model_sees_the_age_in_hours() -> None:
    post_age = RANKING_FEATURES[FEATURE_NAMES.index("post_age_hours")]
    np.testing.assert_array_equal(compute(post_age, _stored()), [2.0, 0.0, 0.0, np.nan, np.nan])


@pytest.mark.parametrize(("now", "hour"), [(0.0, 0.0), (5400.0, 1.5), (86_399.0, 86_399 / 3600), (86_400.0, 0.0)])
def test_the_hour_of_day_begins_again_at_midnight_utc(now: float, hour: float) -> None:
    hour_of_day = RANKING_FEATURES[FEATURE_NAMES.index("hour_of_day")]
    assert compute(hour_of_day, StoredFeatures({}, FeatureManifest("service", ()), now)) == pytest.approx(hour)
