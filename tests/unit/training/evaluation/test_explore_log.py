from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from photofeed.features.ranking import FEATURE_NAMES
from photofeed.offline_store import lake as offline_store
from tests.doubles.object_store import InMemoryObjectStore
from training.data.raw_logs import RawLogs
from training.data.window import Window
from training.evaluation.explore_log import LOGGED, MIN_ROWS, MODEL_VALUE, explore_value, read_explore_log

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = Window(NOON - timedelta(hours=1), NOON + timedelta(hours=1))
TASTE = 3  # the feature that tells what is liked


class Lake:
    """A lake in which 400 slates were served, each with a followed post, and an explore post drawn from ten."""

    def __init__(self, folder: Path) -> None:
        rng = np.random.default_rng(0)
        self.served: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        for slate in range(400):
            features = rng.normal(size=(10, len(FEATURE_NAMES)))
            drawn = features[int(rng.integers(10))]
            self._served(slate, 1, "following", 1.0, features[0])
            self._served(slate, 2, "explore", 0.1, drawn)
            self._event(slate, 1, "like")
            if rng.random() < 1 / (1 + np.exp(1 - 2 * drawn[TASTE])):
                self._event(slate, 2, "save")
        self._store = InMemoryObjectStore()
        self.logs = RawLogs(offline_store.Lake(self._store, folder), "lake")

    def _served(self, slate: int, post: int, source: str, propensity: float, features: np.ndarray) -> None:
        self.served.append(
            {"slate_id": f"s{slate}", "user_id": slate, "post_id": post, "source": source, "propensity": propensity}
            | {"served_at": NOON, "features": features.astype(np.float32), "feature_names": FEATURE_NAMES}
        )
        self._event(slate, post, "impression")

    def _event(self, slate: int, post: int, action: str) -> None:
        self.events.append(
            {"id": f"{slate}-{post}-{action}", "action": action, "slate_id": f"s{slate}", "user_id": slate}
            | {"post_id": post, "occurred_at": NOON, "dwell_ms": None}
        )

    def write(self) -> None:
        types = {"dwell_ms": pa.int32(), "features": pa.list_(pa.float32()), "feature_names": pa.list_(pa.string())}
        for table, rows in (("feed_served", self.served), ("engagement", self.events)):
            arrays = {name: pa.array([row[name] for row in rows], types.get(name)) for name in rows[0]}
            sink = pa.BufferOutputStream()
            pq.write_table(pa.table(arrays), sink)
            key = f"{table}/day=2026-03-01/hour=12/part.parquet"
            self._store.put("lake", key, sink.getvalue().to_pybytes(), "application/vnd.apache.parquet")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


def test_explore_slots_tell_what_a_model_with_taste_would_earn(lake: Lake) -> None:
    lake.write()
    log = read_explore_log(lake.logs, DAY)
    assert log is not None
    assert len(log.feedback) == 400  # the liked posts of people one follows were not drawn by chance
    knows, contrary = (explore_value(log, sign * log.matrix[:, TASTE].astype(float)) for sign in (1, -1))
    assert knows is not None
    assert contrary is not None
    assert knows[MODEL_VALUE].interval.low > knows[LOGGED].interval.high
    assert contrary[MODEL_VALUE].interval.high < contrary[LOGGED].interval.low


def test_a_few_explore_slots_tell_nothing(lake: Lake) -> None:
    assert read_explore_log(lake.logs, DAY) is None
    del lake.served[2 * MIN_ROWS - 2 :]
    lake.write()
    assert read_explore_log(lake.logs, DAY) is None


def test_slates_of_other_features_or_another_time_are_left_out(lake: Lake) -> None:
    for row in lake.served[:100]:
        row["features"] = row["features"][:-1]
    for row in lake.served[100:200]:
        row["served_at"] = DAY.end
    for row in lake.served[200:300]:
        row["feature_names"] = FEATURE_NAMES[::-1]
    lake.write()
    log = read_explore_log(lake.logs, DAY)
    assert log is not None
    assert len(log.feedback) == 250


def test_a_model_that_would_draw_next_to_nothing_of_what_was_drawn_is_not_judged(lake: Lake) -> None:
    lake.write()
    log = read_explore_log(lake.logs, DAY)
    assert log is not None
    one_favourite = np.where(np.arange(400) == 7, 1.0, 0.0)
    assert explore_value(log, one_favourite) is None


def test_only_seen_explore_slots_with_a_propensity_between_0_and_1_count(lake: Lake) -> None:
    """Others: not drawn, drawn for certain, without a propensity, served twice, or never looked at."""
    explored = [row for row in lake.served if row["source"] == "explore"]
    explored[0]["source"] = "following"
    explored[0]["propensity"] = 0.5
    explored[1]["propensity"], explored[2]["propensity"], explored[3]["propensity"] = 1.0, 0.0, None
    lake.served.append(dict(explored[4]))
    unseen = (explored[5]["slate_id"], explored[5]["post_id"])
    lake.events = [e for e in lake.events if (e["slate_id"], e["post_id"]) != unseen or e["action"] != "impression"]
    lake.write()
    log = read_explore_log(lake.logs, DAY)
    assert log is not None
    assert len(log.feedback) == 395
    assert set(log.feedback.propensities.tolist()) == {0.1}


def test_the_fewest_explore_slots_that_are_enough(lake: Lake) -> None:
    del lake.served[2 * MIN_ROWS :]
    lake.write()
    log = read_explore_log(lake.logs, DAY)
    assert log is not None
    assert len(log.feedback) == MIN_ROWS


def test_a_slate_served_at_the_start_of_the_window_counts(lake: Lake) -> None:
    for row in lake.served:
        row["served_at"] = DAY.start
    lake.write()
    log = read_explore_log(lake.logs, DAY)
    assert log is not None
    assert len(log.feedback) == 400


def test_every_grade_above_0_is_a_reward(lake: Lake) -> None:
    lake.events = [event | ({"action": "open"} if event["action"] == "save" else {}) for event in lake.events]
    saves = sum(event["action"] == "open" for event in lake.events)
    lake.write()
    log = read_explore_log(lake.logs, DAY)
    assert log is not None
    assert log.feedback.rewards.sum() == saves > 0


def test_the_value_of_a_model_does_not_depend_on_the_scale_of_its_scores(lake: Lake) -> None:
    lake.write()
    log = read_explore_log(lake.logs, DAY)
    assert log is not None
    scores = log.matrix[:, TASTE].astype(float)
    plain, scaled = (explore_value(log, values) for values in (scores, 30 * scores - 7))
    assert plain is not None
    assert scaled is not None
    assert scaled[MODEL_VALUE].interval.value == pytest.approx(plain[MODEL_VALUE].interval.value)
    assert plain[MODEL_VALUE].estimator == "snips"


def test_a_post_without_a_score_counts_as_the_lowest(lake: Lake) -> None:
    lake.write()
    log = read_explore_log(lake.logs, DAY)
    assert log is not None
    scores = log.matrix[:, TASTE].astype(float)
    missing = np.where(np.arange(400) == int(scores.argmin()), np.nan, scores)
    value, lowest = explore_value(log, missing), explore_value(log, scores)
    assert value is not None
    assert lowest is not None
    assert value[MODEL_VALUE].interval.value == pytest.approx(lowest[MODEL_VALUE].interval.value, abs=0.01)
