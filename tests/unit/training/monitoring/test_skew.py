"""Which impressions and values a skew measurement compares. The join and the served log are replaced by arrays."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from photofeed.features.ranking import FEATURE_NAMES, PROGRAM
from training.data.dataset import Origin
from training.data.impressions import Impressions
from training.data.window import Window
from training.monitoring import skew as module
from training.monitoring.skew import LARGEST_DIFFERENCE, SETTLING_US, Skew, differences, measure_skew

WINDOW = Window(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC))
SOURCES: Any = SimpleNamespace(program=PROGRAM)


def _impressions(rows: int) -> Impressions:
    ids = np.arange(rows)
    return Impressions(
        slates=ids.astype(np.int32),
        slate_start_us=ids,
        known_us=ids,
        user_ids=ids,
        post_ids=ids,
        creator_ids=ids,
        topic_ids=ids,
        positions=ids.astype(np.int32),
        outcomes={},
        skipped=np.zeros(rows, np.bool_),
        served=np.tile(np.arange(rows, dtype=np.float32)[:, None], (1, len(FEATURE_NAMES))),
        complete=np.ones(rows, np.bool_),
    )


@dataclass
class World:
    """Served features, and what the join answers: equal, but for the changes of a test."""

    shown: Impressions
    changed: dict[tuple[int, int], float] = field(default_factory=dict)  # (user, feature) -> joined value
    changes_at: dict[tuple[int, int], int] = field(default_factory=dict)  # (user, feature) -> µs from the request
    joins: list[tuple[list[int], int]] = field(default_factory=list)

    def impressions(self, _: object, window: Window, origin: Origin) -> Impressions:
        assert (window, origin) == (WINDOW, Origin.SERVED)
        return self.shown

    def joined_matrix(self, _: object, shown: Impressions, *, offset_us: int = 0) -> NDArray[np.float32]:
        self.joins.append((shown.user_ids.tolist(), offset_us))
        matrix = shown.served.copy()
        for row, user in enumerate(shown.user_ids.tolist()):
            for (whose, feature), value in self.changed.items():
                if whose == user:
                    matrix[row, feature] = value
            for (whose, feature), moment in self.changes_at.items():
                if whose == user and offset_us >= moment:
                    matrix[row, feature] += 1000
        return matrix


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(_impressions(30))
    monkeypatch.setattr(module, "impressions", made.impressions)
    monkeypatch.setattr(module, "joined_matrix", made.joined_matrix)
    return made


def test_equal_features_have_no_skew_and_are_joined_once(world: World) -> None:
    found = measure_skew(SOURCES, WINDOW, 100)
    assert (found.rows, found.in_flight, found.skewed) == (30, 0, {})
    assert set(found.differences) == set(FEATURE_NAMES)
    assert world.joins == [(list(range(30)), 0)]


def test_the_largest_difference_of_each_feature_is_reported_the_largest_first(world: World) -> None:
    world.changed = {(3, 0): 4.0, (5, 0): 5.5, (7, 2): 9.0, (8, 1): float("nan")}
    found = measure_skew(SOURCES, WINDOW, 100)
    assert found.skewed == {FEATURE_NAMES[1]: np.inf, FEATURE_NAMES[2]: 2.0, FEATURE_NAMES[0]: 1.0}
    assert list(found.skewed) == [FEATURE_NAMES[1], FEATURE_NAMES[2], FEATURE_NAMES[0]]
    assert found.in_flight == 0


def test_only_rows_that_differ_are_joined_again_before_and_after_the_request(world: World) -> None:
    world.changed = {(3, 0): 4.0, (7, 2): 9.0}
    measure_skew(SOURCES, WINDOW, 100)
    assert world.joins[1:] == [([3, 7], -SETTLING_US), ([3, 7], SETTLING_US)]


def test_a_value_that_changed_within_seconds_of_the_request_is_left_out(world: World) -> None:
    world.changes_at = {(3, 0): 0, (4, 0): -SETTLING_US, (5, 0): -SETTLING_US - 1}
    world.changed = {(3, 1): 9.0}  # another value of the same row, which did not change
    found = measure_skew(SOURCES, WINDOW, 100)
    assert found.in_flight == 1  # of user 3; at the other two the later value should have been served
    assert found.skewed == {FEATURE_NAMES[0]: 1000.0, FEATURE_NAMES[1]: 6.0}
    world.changes_at = {(3, 0): 0, (4, 0): -2_000_000}  # two seconds before
    found = measure_skew(SOURCES, WINDOW, 100)
    assert (found.in_flight, found.skewed) == (2, {FEATURE_NAMES[1]: 6.0})


def test_a_value_that_changed_and_was_served_right_is_not_in_flight(world: World) -> None:
    """Rows of which another value differs are joined again: a change there is no reason to leave anything out."""
    world.changes_at = {(3, 0): 1}  # after the request
    world.changed = {(3, 1): 9.0}
    found = measure_skew(SOURCES, WINDOW, 100)
    assert (found.in_flight, found.differences[FEATURE_NAMES[0]]) == (0, 0.0)


def test_many_impressions_are_sampled_without_repetition(world: World) -> None:
    assert measure_skew(SOURCES, WINDOW, 30).rows == 30
    for seed in (1, 1, 2):
        assert measure_skew(SOURCES, WINDOW, 10, seed).rows == 10
    first, again, other = (users for users, _ in world.joins[1:])
    assert len(set(first)) == 10
    assert first == again != other


def test_a_difference_at_the_limit_is_no_skew() -> None:
    found = Skew(1, 0, {"at": LARGEST_DIFFERENCE, "above": LARGEST_DIFFERENCE * 1.01})
    assert list(found.skewed) == ["above"]


def test_differences_are_absolute_and_infinite_where_one_side_is_missing() -> None:
    one = np.array([[1.0, np.nan, np.nan, 3.0]], dtype=np.float32)
    other = np.array([[2.5, np.nan, 1.0, np.nan]], dtype=np.float32)
    assert differences(one, other).tolist() == [[1.5, 0.0, np.inf, np.inf]]
    assert differences(other, one).tolist() == [[1.5, 0.0, np.inf, np.inf]]


def test_impressions_that_are_taken_keep_their_slate_starts() -> None:
    shown = replace(_impressions(4), slate_start_us=np.arange(4) * 10)
    taken = shown.take(np.array([True, False, False, True]))
    assert taken.slate_start_us[taken.slates].tolist() == [0, 30]
    assert taken.user_ids.tolist() == [0, 3]
