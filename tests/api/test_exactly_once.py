"""Online features equal those of the distinct events, whatever is killed, repeated, late or out of order."""

import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from typer.testing import CliRunner

from ingestion import feature_commands
from ingestion.bootstrap.counting import counted_events
from ingestion.bootstrap.engagement import engagement_pipeline
from ingestion.engagement.accumulate import CounterDelta, CounterRows, CounterState
from ingestion.engagement.counted_events import EmptiedError, EventIds, FencedError, Partial, RedisCountedEvents
from ingestion.engagement.credits import Credits
from ingestion.engagement.feature_sink import FeatureSink
from ingestion.engagement.online_rebuild import has_history
from ingestion.engagement.pipeline import EngagementPipeline
from photofeed.embedded.stack import EmbeddedStack
from photofeed.events import Action, EngagementEvent, Envelope, engagement_envelope
from photofeed.feature_store import close_feature_store, load_counter_views, open_feature_store
from photofeed.features.event_columns import EventColumns
from photofeed.offline_store.lake import open_lake
from photofeed.online_store.feast_schema import row_schema
from photofeed.online_store.keys import scan_pattern
from photofeed.online_store.reader import PackedReader
from photofeed.redis_client import RedisClient, connect_redis
from photofeed.topics import ENGAGEMENT
from tests.api.engagement_log import EVENTS, check_counters, distinct_events, event_log

if TYPE_CHECKING:
    from photofeed.settings import Settings

MESSAGES_A_BATCH = 400
STEPS = {
    "before deciding",
    "before remembering",
    "after remembering",
    "in the middle of pushing online",
    "after pushing online",
    "after pushing offline",
    "before forgetting",
    "after forgetting",
}


class Killed(BaseException):
    """The process dies here."""


class Fate:
    """Decides where processes die: at the second and the fifth execution of each step."""

    def __init__(self) -> None:
        self._times = Counter[str]()
        self.died_at = list[str]()

    def step(self, name: str) -> None:
        self._times[name] += 1
        if self._times[name] in {2, 5}:
            self.died_at.append(name)
            raise Killed(name)


class MortalCounted(RedisCountedEvents):
    """The memory of a process that may die before or after each use."""

    def __init__(self, client: RedisClient, worker: str, fate: Fate) -> None:
        super().__init__(client, worker)
        self._fate = fate

    def uncounted(self, events: EventColumns) -> EventColumns:
        self._fate.step("before deciding")
        return super().uncounted(events)

    def add_pending(
        self, events: EventIds, rows: Sequence[CounterRows], states: Credits, partials: Sequence[Partial] = ()
    ) -> None:
        self._fate.step("before remembering")
        super().add_pending(events, rows, states, partials)
        self._fate.step("after remembering")

    def clear_pending(self) -> None:
        self._fate.step("before forgetting")
        super().clear_pending()
        self._fate.step("after forgetting")


class MortalSink:
    """The feature store of a process that may die while it pushes."""

    def __init__(self, sink: FeatureSink, fate: Fate) -> None:
        self._sink, self._fate = sink, fate

    def read(self, delta: CounterDelta) -> CounterState:
        return self._sink.read(delta)

    def push_online(self, rows: Sequence[CounterRows]) -> None:
        for place, each in enumerate(rows):
            if place == 1:
                self._fate.step("in the middle of pushing online")
            self._sink.push_online([each])
        self._fate.step("after pushing online")

    def push_offline(self, rows: Sequence[CounterRows]) -> None:
        self._sink.push_offline(rows)
        self._fate.step("after pushing offline")

    def push_values(self, view: str, columns: dict[str, Any]) -> None:
        self._sink.push_values(view, columns)


@pytest.fixture
def client(settings: "Settings") -> Iterator[RedisClient]:
    with connect_redis(settings) as client:
        yield client


@pytest.fixture
def store(settings: "Settings") -> Iterator[Any]:
    store = open_feature_store(settings)
    yield store
    close_feature_store(store)


def test_features_equal_brute_force_when_workers_die_at_every_step_and_the_log_is_read_again(
    settings: "Settings", store: Any, client: RedisClient
) -> None:
    first_id = uuid.uuid4().int % 2**40 + 2**50
    log, worker = event_log(first_id), uuid.uuid4().hex
    fate = Fate()

    def new_process() -> EngagementPipeline:
        pipeline = engagement_pipeline(settings, store, client)
        pipeline.counted = MortalCounted(client, worker, fate)
        pipeline.sink = MortalSink(pipeline.sink, fate)
        pipeline.flush_seconds = 0.5
        return pipeline

    def work(group: str) -> int:
        """As many processes as needed, each continuing after the last commit of the one before."""
        deaths = 0
        while True:
            pipeline, consumer = new_process(), log.consumer(group, [ENGAGEMENT])
            try:
                pipeline.become_leader()
                while messages := consumer.poll(MESSAGES_A_BATCH, 0):
                    pipeline.handle([Envelope.decode(message.value) for message in messages])
                    consumer.commit()
                pipeline.flush()
            except Killed:
                deaths += 1
            else:
                return deaths

    events = distinct_events(log)
    assert len(events) == EVENTS
    assert work("features") == 2 * len(STEPS)
    assert set(fate.died_at) == STEPS
    assert check_counters(store, client, events) > 10_000
    assert work("features, from the start") == 0
    assert check_counters(store, client, events) > 10_000


def test_of_several_workers_started_together_only_the_last_leader_counts(
    settings: "Settings", store: Any, client: RedisClient
) -> None:
    first_id, worker = uuid.uuid4().int % 2**40 + 2**51, uuid.uuid4().hex
    events = [
        EngagementEvent(
            f"{first_id}-{n}", Action.LIKE, first_id, first_id + 1, datetime.now(UTC), post_id=first_id + n, topic_id=1
        )
        for n in range(30)
    ]
    messages = [engagement_envelope(first_id, events[start : start + 10]) for start in (0, 10, 20)]
    workers = [engagement_pipeline(settings, store, client) for _ in range(3)]
    for each in workers:
        each.counted = RedisCountedEvents(client, worker)
        each.become_leader()
        each.handle(messages[:1])
    for fenced in workers[:2]:
        with pytest.raises(FencedError):
            fenced.handle(messages)
    workers[2].handle(messages)
    (view,) = [view for view in load_counter_views(store) if view.name == "user_activity"]
    reader = PackedReader([row_schema(store.get_feature_view(view.name), store.project)], client=client)
    row = reader.read({"user_id": np.array([first_id])})[view.name]
    assert row.values["events_total"].tolist() == [30.0]


class HalfWritten(MortalSink):
    """The feature store of a process that dies while it writes history."""

    def push_offline(self, rows: Sequence[CounterRows]) -> None:
        self._sink.push_offline(rows[: len(rows) // 2])
        raise Killed


@pytest.mark.parametrize(
    "how", ["the worker notices", "the idle worker notices", "killed with it", "killed while it writes history"]
)
def test_after_redis_is_emptied_counting_waits_until_features_are_restored(
    stack: "EmbeddedStack",
    settings_with_own_lake: "Settings",
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    how: str,
) -> None:
    """With events that are counted and not yet in the history: online features equal those of all events."""
    valkey = EmbeddedStack(tmp_path)
    valkey.start(servers=("valkey",))
    redis_url = valkey.settings().redis_url
    monkeypatch.setenv("PHOTOFEED_STATE_DIR", str(stack.state.path))
    monkeypatch.setenv("PHOTOFEED_REDIS_URL", redis_url.get_secret_value())
    settings = settings_with_own_lake.model_copy(update={"redis_url": redis_url})
    monkeypatch.setenv("PHOTOFEED_BUCKET_LAKE", settings.bucket_lake)
    monkeypatch.setenv("PHOTOFEED_FEATURE_REPO", str(settings.feature_repo))
    log = event_log(uuid.uuid4().int % 2**40 + 2**52, 6_000, repeated=0)
    store, lake = open_feature_store(settings), open_lake(settings)
    try:
        with connect_redis(settings) as client:
            pipeline, consumer = engagement_pipeline(settings, store, client), log.consumer("features", [ENGAGEMENT])
            pipeline.flush_seconds = 3600  # so that much is pending
            pipeline.become_leader()
            for batch in range(3):
                pipeline.handle([Envelope.decode(message.value) for message in consumer.poll(100, 0)])
                if batch == 0:
                    pipeline.flush()
                if pipeline.is_flushed or "notices" in how:
                    consumer.commit()
            if how == "killed while it writes history":
                pipeline.sink = HalfWritten(pipeline.sink, Fate())
                with pytest.raises(Killed):
                    pipeline.flush()
            assert counted_events(settings, client).has_begun()
            client.flushall()
            if how == "the worker notices":
                with pytest.raises(EmptiedError):
                    pipeline.handle([Envelope.decode(message.value) for message in consumer.poll(100, 0)])
            if how == "the idle worker notices":
                with pytest.raises(EmptiedError):
                    pipeline.flush()
            assert has_history(store, lake)
            assert not counted_events(settings, client).has_begun()
            assert not list(client.scan_iter(scan_pattern(store.project, "user_activity")))
            told = CliRunner().invoke(feature_commands.app, ["rebuild"])
            assert told.exit_code == 0, told.output
            assert counted_events(settings, client).has_begun()
            pipeline, consumer = engagement_pipeline(settings, store, client), log.consumer("features", [ENGAGEMENT])
            pipeline.become_leader()
            while messages := consumer.poll(100, 0):
                pipeline.handle([Envelope.decode(message.value) for message in messages])
                consumer.commit()
            assert check_counters(store, client, distinct_events(log)) > 10_000
    finally:
        close_feature_store(store)
        valkey.stop()
