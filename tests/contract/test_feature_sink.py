"""The contract of FeatureSink, on the double and on Feast's stores."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import numpy as np
import pyarrow.parquet as pq
import pytest
from feast import Entity, FeatureStore, Field, ValueType
from feast.types import Float64, Int64

from ingestion.engagement.accumulate import CounterRows, CounterState, counter_delta
from ingestion.engagement.credits import CreditedEvents
from ingestion.engagement.feature_sink import FeastSink, FeatureSink
from photofeed.events import Action, EngagementEvent
from photofeed.features.counters import AS_OF_FIELD, counter_view
from photofeed.features.event_columns import EventColumns
from photofeed.offline_store.lake import LakeFolder
from photofeed.offline_store.store import LakeOfflineStore, lake_of
from photofeed.redis_client import connect_redis
from tests.doubles.feature_sink import InMemoryFeatureSink
from tests.lake_features import lake_store_config, pushed_view

if TYPE_CHECKING:
    from photofeed.embedded.stack import EmbeddedStack
    from photofeed.settings import Settings

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOON_US = round(NOON.timestamp()) * 1_000_000
VIEW = counter_view("post_likes", ["post_id"], [("likes", {"counts": "like=1 unlike=-1", "half_life_seconds": "3600"})])
History = set[tuple[int, int, float]]  # post, as_of, likes


@dataclass(frozen=True)
class SinkCase:
    sink: FeatureSink
    history: Callable[[], History]


@pytest.fixture(params=["memory", "feast"])
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SinkCase]:
    if request.param == "memory":
        memory = InMemoryFeatureSink()
        yield SinkCase(memory, lambda: {row for each in memory.history for row in _tuples(each)})
        return
    stack: EmbeddedStack = request.getfixturevalue("stack")
    settings = stack.settings()
    store, folder = _store(settings, tmp_path)
    with connect_redis(settings) as client:
        yield SinkCase(FeastSink(store, client, [VIEW]), lambda: _stored(store, folder))
    store.teardown()


def _store(settings: "Settings", scratch: Path) -> tuple[FeatureStore, LakeFolder]:
    """A feature store with the view, and the folder of the lake with its history."""
    project = f"sink_{uuid4().hex[:8]}"
    config = lake_store_config(settings, project, scratch)
    folder = LakeFolder(settings.bucket_lake, f"features/{project}")
    post = Entity(name="post", join_keys=["post_id"], value_type=ValueType.INT64)
    fields = (Field(name=AS_OF_FIELD, dtype=Int64), Field(name="likes", dtype=Float64))
    view = pushed_view(VIEW.name, str(folder), [post], *fields)
    store = FeatureStore(config=config)
    LakeOfflineStore.ensure_source(config, view, [post])
    store.apply([post, view])
    return store, folder


def _stored(store: FeatureStore, folder: LakeFolder) -> History:
    rows = [row for file in lake_of(store.config).mirror(folder) for row in pq.read_table(file).to_pylist()]
    return {(row["post_id"], row[AS_OF_FIELD], row["likes"]) for row in rows}


def _rows(*rows: tuple[int, int, float]) -> CounterRows:
    """Rows of (post, seconds after noon, likes)."""
    posts, seconds, likes = zip(*rows, strict=True)
    as_of_us = NOON_US + np.array(seconds, np.int64) * 1_000_000
    return CounterRows(
        VIEW.name, VIEW.counter_names, np.array(posts, np.int64)[:, None], as_of_us, as_of_us, np.array(likes)[:, None]
    )


def _tuples(rows: CounterRows) -> list[tuple[int, int, float]]:
    return list(zip(rows.keys[:, 0].tolist(), rows.as_of_us.tolist(), rows.values[:, 0].tolist(), strict=True))


def _read(sink: FeatureSink, *posts: int) -> list[tuple[int, float]]:
    """What the sink has of posts: (microseconds, likes)."""
    events = EventColumns.from_payloads(
        [EngagementEvent(str(post), Action.LIKE, 1, 2, NOON, post_id=post).to_payload() for post in posts]
    )
    delta = counter_delta(VIEW, CreditedEvents.all_of(events))
    state: CounterState = sink.read(delta)
    found = dict(
        zip(
            delta.keys[:, 0].tolist(),
            zip(state.as_of_us.tolist(), state.values[:, 0].tolist(), strict=True),
            strict=True,
        )
    )
    return [found[post] for post in posts]


def test_an_entity_without_a_row_has_zeros(case: SinkCase) -> None:
    case.sink.push_online([_rows((5, 1, 2.5))])
    assert _read(case.sink, 6, 5) == [(0, 0.0), (NOON_US + 1_000_000, 2.5)]


def test_the_newest_row_of_an_entity_is_read_in_any_order_of_rows(case: SinkCase) -> None:
    case.sink.push_online([_rows((5, 3, 3.0), (6, 1, 1.0)), _rows((6, 2, 2.0))])
    assert _read(case.sink, 5, 6) == [(NOON_US + 3_000_000, 3.0), (NOON_US + 2_000_000, 2.0)]
    case.sink.push_online([_rows((5, 2, 9.0), (6, 4, 4.0))])
    assert _read(case.sink, 5, 6) == [(NOON_US + 3_000_000, 3.0), (NOON_US + 4_000_000, 4.0)]


def test_pushing_again_changes_nothing(case: SinkCase) -> None:
    rows = [_rows((5, 1, 1.0), (6, 1, 2.0))]
    for _ in range(2):
        case.sink.push_online(rows)
        case.sink.push_offline(rows)
    assert _read(case.sink, 5, 6) == [(NOON_US + 1_000_000, 1.0), (NOON_US + 1_000_000, 2.0)]
    assert case.history() == {(5, NOON_US + 1_000_000, 1.0), (6, NOON_US + 1_000_000, 2.0)}


def test_history_keeps_every_row_and_is_not_read_online(case: SinkCase) -> None:
    case.sink.push_offline([_rows((5, 1, 1.0), (5, 2, 2.0))])
    case.sink.push_offline([_rows((5, 3, 3.0))])
    assert case.history() == {(5, NOON_US + second * 1_000_000, float(second)) for second in (1, 2, 3)}
    assert _read(case.sink, 5) == [(0, 0.0)]


def test_no_rows_are_pushed_without_effect(case: SinkCase) -> None:
    case.sink.push_online([])
    case.sink.push_offline([])
    assert case.history() == set()
