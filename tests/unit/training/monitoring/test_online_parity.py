"""Online against offline values of the newest impressions. The stores are replaced by columns that a test scripts."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pydantic import SecretStr

from photofeed.features.declarations import RankingFeature
from photofeed.features.manifest import FeatureManifest, ManifestView
from photofeed.features.program import FeatureProgram
from photofeed.features.ratios import Ratio
from photofeed.online_store.reader import PackedReader
from photofeed.online_store.schema import FieldSpec, JoinKey, RowSchema
from training.monitoring import online_parity as module
from training.monitoring.online_parity import PAUSES_SECONDS, feature_differences
from training.monitoring.skew import HISTORY_DELAY

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
NOW_US = round(NOW.timestamp() * 1e6)
SETTLING_US = HISTORY_DELAY // timedelta(microseconds=1)
SETTINGS: Any = SimpleNamespace(redis_url=SecretStr("redis://nowhere"))
FIELDS = (FieldSpec("likes", "DOUBLE", 0.0), FieldSpec("as_of", "INT64", 0))
VIEWS = [RowSchema("photofeed", name, (JoinKey(f"{name}_id", "INT64"),), FIELDS) for name in ("post", "user")]
SOURCES: Any = SimpleNamespace(
    features="store",
    manifest=FeatureManifest("v1", tuple(ManifestView(schema, {}) for schema in VIEWS)),
    program=FeatureProgram(RankingFeature(f"{s.view}_likes", "velocity", Ratio(s.view, "likes")) for s in VIEWS),
)
Rows = list[list[float]]


class _Shown(SimpleNamespace):
    def __len__(self) -> int:
        return len(self.user_ids)


@dataclass
class Stores:
    """What each store answers at every look: the likes of (post, user) by row, and the `as_of` of both."""

    online: list[Rows] = field(default_factory=list)
    offline: list[Rows] = field(default_factory=list)
    online_as_of: list[Rows] = field(default_factory=list)
    offline_as_of: list[Rows] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    closed: bool = False

    def read(self, keys: dict[str, np.ndarray]) -> dict[str, Any]:
        self.asked[-1]["online"] = {name: values.tolist() for name, values in keys.items()}
        columns = self._columns(self.online, self.online_as_of, keys["user_id"])
        found = {}
        for view in VIEWS:
            values = np.empty(len(keys["user_id"]), view.values_dtype)
            for name in ("likes", "as_of"):
                values[name] = columns[f"{view.view}__{name}"]
            found[view.view] = SimpleNamespace(values=values)
        return found

    def close(self) -> None:
        self.closed = True

    def features_known_at(self, store: object, manifest: object, rows: Any) -> Any:
        assert (store, manifest) == ("store", SOURCES.manifest)
        self.asked.append({"offline": [rows.user_ids.tolist(), rows.post_ids.tolist(), rows.known_us.tolist()]})
        return self._columns(self.offline, self.offline_as_of, rows.user_ids)

    def _columns(self, looks: list[Rows], as_of: list[Rows], rows: np.ndarray) -> dict[str, np.ndarray]:
        likes, moments = (
            np.array(each[min(len(self.asked), len(each)) - 1] if each else np.ones((99, 2)))[rows]
            for each in (looks, as_of)
        )
        return {
            f"{view}__{name}": values[:, at]
            for at, view in enumerate(("post", "user"))
            for name, values in (("likes", likes), ("as_of", moments))
        }


@pytest.fixture
def stores(monkeypatch: pytest.MonkeyPatch) -> Stores:
    made = Stores()
    monkeypatch.setattr(PackedReader, "from_url", lambda *_, **__: made)
    monkeypatch.setattr(module, "features_known_at", made.features_known_at)
    return made


def _differences(stores: Stores, rows_shown: int, rows: int, known_us: list[int] | None = None) -> Any:
    ids = np.arange(rows_shown)
    known = NOW_US - np.arange(rows_shown)[::-1] - SETTLING_US if known_us is None else np.array(known_us)
    shown: Any = _Shown(user_ids=ids, post_ids=ids + 100, creator_ids=ids + 200, topic_ids=ids + 300, known_us=known)
    return feature_differences(SETTINGS, SOURCES, shown, rows, clock=lambda: NOW, sleep=stores.slept.append)


def test_differences_are_relative_to_large_values_and_absolute_for_small_ones(stores: Stores) -> None:
    stores.offline = [[[10.0, 0.1], [-10.0, 0.0]]]
    stores.online = [[[11.0, 0.3], [-9.0, -0.5]]]
    assert _differences(stores, 2, 2) == pytest.approx(np.array([[0.1, 0.2], [0.1, 0.5]]))
    assert stores.slept == []  # both stores have the same state


def test_missing_on_both_sides_is_equal_and_on_one_side_infinitely_apart(stores: Stores) -> None:
    stores.offline = [[[np.nan, np.nan], [1.0, 2.0]]]
    stores.online = [[[np.nan, 1.0], [np.nan, 2.0]]]
    assert _differences(stores, 2, 2).tolist() == [[0.0, np.inf], [np.inf, 0.0]]


def test_the_newest_impressions_are_asked_of_both_stores_as_of_now(stores: Stores) -> None:
    _differences(stores, 5, 2)
    assert stores.asked == [
        {
            "online": {"user_id": [3, 4], "post_id": [103, 104], "creator_id": [203, 204], "topic_id": [303, 304]},
            "offline": [[3, 4], [103, 104], [NOW_US] * 2],
        }
    ]
    assert stores.closed


def test_fewer_impressions_than_asked_for_are_all_compared(stores: Stores) -> None:
    assert _differences(stores, 3, 10).shape == (3, 2)


def test_impressions_that_history_may_lack_are_not_asked_for(stores: Stores) -> None:
    settled, fresh = NOW_US - SETTLING_US, NOW_US - SETTLING_US + 1
    assert _differences(stores, 4, 2, [settled - 1, settled, fresh, NOW_US]).shape == (2, 2)
    assert stores.asked[0]["online"]["user_id"] == [0, 1]
    stores.asked.clear()
    assert _differences(stores, 2, 2, [fresh, NOW_US]).shape == (0, 2)
    assert stores.asked == []


def test_the_traffic_does_not_change_the_result(stores: Stores) -> None:
    """Two impressions compare alike, whether or not people use the post of the first while history is late."""
    stores.online = stores.offline = [[[3.0, 1.0], [2.0, 5.0]]]
    quiet = _differences(stores, 2, 2)
    stores.asked.clear()
    stores.online, recent = [[[9.0, 1.0], [2.0, 5.0]]], NOW_US - SETTLING_US + 1
    stores.online_as_of, stores.offline_as_of = [[[recent, 1], [1, 1]]], [[[10, 1], [1, 1]]]
    busy = _differences(stores, 2, 2)
    assert np.isnan(busy).tolist() == [[True, False], [False, False]]
    assert np.nan_to_num(busy).tolist() == quiet.tolist()
    assert stores.slept == []  # history may be minutes late: waiting for it would settle nothing


def test_history_that_catches_up_is_no_skew(stores: Stores) -> None:
    """The rows of the first look had events in flight; the second row is compared once, the first one twice."""
    stores.online, stores.offline = [[[5.0, 1.0], [2.0, 1.0]]], [[[4.0, 1.0], [2.0, 1.0]], [[5.0, 1.0], [2.0, 1.0]]]
    stores.online_as_of = [[[20, 1], [1, 1]]]
    stores.offline_as_of = [[[10, 1], [1, 1]], [[20, 1], [1, 1]]]
    assert _differences(stores, 2, 2).tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert stores.slept == [PAUSES_SECONDS[0]]
    assert stores.asked[1]["online"]["user_id"] == [0]


def test_what_people_use_all_the_time_is_left_out_and_the_rest_of_the_row_is_compared(stores: Stores) -> None:
    stores.online, stores.offline = [[[5.0, 3.0]], [[6.0, 3.0]]], [[[4.0, 1.0]], [[5.0, 1.0]]]
    stores.online_as_of, stores.offline_as_of = [[[20, 7]], [[30, 7]]], [[[10, 7]], [[20, 7]]]
    found = _differences(stores, 1, 1)
    assert np.isnan(found[0, 0])
    assert found[0, 1] == 2.0
    assert stores.slept == [PAUSES_SECONDS[0]]


def test_history_that_never_catches_up_is_skew(stores: Stores) -> None:
    stores.online, stores.offline = [[[5.0, 1.0]]], [[[4.0, 1.0]]]
    stores.online_as_of, stores.offline_as_of = [[[20, 1]]], [[[10, 1]]]
    assert _differences(stores, 1, 1).tolist() == [[0.25, 0.0]]
    assert tuple(stores.slept) == PAUSES_SECONDS


def test_a_row_that_was_lost_online_is_skew(stores: Stores) -> None:
    stores.online, stores.offline = [[[0.0, 1.0]]], [[[4.0, 1.0]]]
    stores.online_as_of, stores.offline_as_of = [[[0, 1]]], [[[10, 1]]]
    assert _differences(stores, 1, 1).tolist() == [[1.0, 0.0]]
    assert stores.slept == []


def test_a_row_dated_ahead_by_a_fast_clock_is_in_flight(stores: Stores) -> None:
    stores.online, stores.offline = [[[5.0, 1.0]]], [[[4.0, 1.0]]]
    ahead = NOW_US + timedelta(minutes=5) // timedelta(microseconds=1)
    stores.online_as_of, stores.offline_as_of = [[[ahead, 1]]], [[[10, 1]]]
    assert np.isnan(_differences(stores, 1, 1)[0, 0])
    assert stores.slept == []
