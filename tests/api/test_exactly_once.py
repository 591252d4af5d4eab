"""Online features are those of the distinct events, whatever is killed, repeated, late or out of order."""

import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from typer.testing import CliRunner

from ingestion import feature_commands
from ingestion.bootstrap.engagement import engagement_pipeline
from ingestion.engagement.accumulate import CounterRows, CounterState, Touched
from ingestion.engagement.counted_events import DeposedError, EmptiedError, RedisCountedEvents
from ingestion.engagement.feature_sink import FeatureSink
from ingestion.engagement.pipeline import EngagementPipeline
from photofeed.embedded.stack import EmbeddedStack
from photofeed.event_log import InMemoryEventLog
from photofeed.events import Action, EngagementEvent, Envelope, engagement_envelope
from photofeed.feature_store import close_feature_store, load_counter_views, open_feature_store
from photofeed.features.counters import CounterView
from photofeed.features.event_columns import EventColumns
from photofeed.offline_store.lake import open_lake
from photofeed.offline_store.rebuild import is_emptied
from photofeed.online_store.feast_schema import row_schema
from photofeed.online_store.keys import scan_pattern
from photofeed.online_store.reader import PackedReader
from photofeed.timelines import RedisClient, connect_redis
from photofeed.topics import ENGAGEMENT

if TYPE_CHECKING:
    from photofeed.settings import Settings

EVENTS, EVENTS_A_MESSAGE, MESSAGES_A_BATCH = 100_000, 10, 400
LATE_SECONDS = 2 * 86_400  # what the events API takes
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
    """The process ends here."""


class Fate:
    """Decides who dies where: whoever comes to a step for the second and the fifth time."""

    def __init__(self) -> None:
        self._times = Counter[str]()
        self.died_at = list[str]()

    def step(self, name: str) -> None:
        self._times[name] += 1
        if self._times[name] in {2, 5}:
            self.died_at.append(name)
            raise Killed(name)


class MortalCounted(RedisCountedEvents):
    """The memory of a process that may die before or after each use of it."""

    def __init__(self, client: RedisClient, worker: str, fate: Fate) -> None:
        super().__init__(client, worker)
        self._fate = fate

    def uncounted(self, events: EventColumns) -> EventColumns:
        self._fate.step("before deciding")
        return super().uncounted(events)

    def mark(self, events: EventColumns, rows: Sequence[CounterRows]) -> None:
        self._fate.step("before remembering")
        super().mark(events, rows)
        self._fate.step("after remembering")

    def pushed(self) -> None:
        self._fate.step("before forgetting")
        super().pushed()
        self._fate.step("after forgetting")


class MortalSink:
    """The feature store of a process that may die while it pushes."""

    def __init__(self, sink: FeatureSink, fate: Fate) -> None:
        self._sink, self._fate = sink, fate

    def read(self, touched: Touched) -> CounterState:
        return self._sink.read(touched)

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


def _log(first_id: int, count: int = EVENTS, repeated: float = 0.2) -> InMemoryEventLog:
    """Distinct events of the last two days in any order, some of the messages twice, in a log of 4 partitions."""
    rng = np.random.default_rng(11)
    now = datetime.now(UTC).timestamp()
    # most are punctual, in the order in which they occur; a tenth is late
    late = np.where(rng.random(count) < 0.1, rng.random(count) * LATE_SECONDS, rng.random(count))
    moments = np.linspace(now - 3600, now, count) - late
    actions = rng.choice(len(Action), count)
    posts = rng.zipf(1.3, count) % 500 + first_id
    users = np.repeat(rng.integers(0, 300, count // EVENTS_A_MESSAGE), EVENTS_A_MESSAGE) + first_id
    kinds = list(Action)
    events = [
        EngagementEvent(
            id=f"{first_id}-{place}",
            action=kinds[action],
            user_id=int(user),
            creator_id=first_id + int(post) % 40,
            occurred_at=datetime.fromtimestamp(moment, UTC),
            post_id=None if kinds[action] in {Action.FOLLOW, Action.UNFOLLOW, Action.PROFILE_VISIT} else int(post),
            topic_id=None if kinds[action] in {Action.FOLLOW, Action.UNFOLLOW, Action.PROFILE_VISIT} else first_id + 1,
            content_type=("photo", "reel")[int(post) % 2],
            dwell_ms=int(post) % 90_000 if kinds[action] is Action.DWELL else None,
        )
        for place, (action, user, post, moment) in enumerate(zip(actions, users, posts, moments, strict=True))
    ]
    messages = [
        engagement_envelope(events[start].user_id, events[start : start + EVENTS_A_MESSAGE])
        for start in range(0, count, EVENTS_A_MESSAGE)
    ]
    again = [messages[place] for place in rng.integers(0, len(messages), int(len(messages) * repeated))]
    log = InMemoryEventLog()
    log.publish(ENGAGEMENT.name, [*messages, *again])
    return log


def _distinct(log: InMemoryEventLog) -> list[dict[str, Any]]:
    found = {}
    for message in log.read(ENGAGEMENT.name):
        for event in Envelope.decode(message.value).payload["events"]:
            found[event["id"]] = event
    return list(found.values())


def _brute_force(
    events: list[dict[str, Any]], view: CounterView, tags: dict[str, str], at_us: dict[tuple[int, ...], int]
) -> dict[tuple[int, ...], list[float]]:
    """The counters of each entity at its moment: every event added by itself, from the declarations as they stand."""
    sums: dict[tuple[int, ...], list[float]] = defaultdict(lambda: [0.0] * len(view.counters))
    declared = [
        (place, term.split("=")[0], term.split("=")[1], counter.half_life_seconds)
        for place, counter in enumerate(view.counters)
        for term in tags[counter.name].split()
    ]
    terms: dict[tuple[str, str], list[tuple[int, bool, str, float]]] = {}
    for event in events:
        what = (event["action"], event["contentType"])
        if what not in terms:
            names = {"any", what[0], "@".join(what)}
            terms[what] = [
                (place, name.startswith("reverse:"), weight, half_life)
                for place, name, weight, half_life in declared
                if name.removeprefix("reverse:") in names
            ]
        moment = datetime.fromisoformat(event["occurredAt"]).timestamp()
        ids = {"user_id": event["userId"], "creator_id": event["creatorId"]}
        ids |= {"post_id": event.get("postId"), "topic_id": event.get("topicId")}
        reversed_ids = ids | {"user_id": ids["creator_id"], "creator_id": ids["user_id"]}
        for place, is_reverse, weight, half_life in terms[what]:
            keys = tuple((reversed_ids if is_reverse else ids)[key] for key in view.join_keys)
            if keys not in at_us:
                continue
            amount = min(event.get("dwellMs", 0) / 1000, 60.0) if weight == "seconds" else float(weight)
            sums[keys][place] += amount * 0.5 ** ((at_us[keys] / 1e6 - moment) / half_life)
    return sums


def _entities(events: list[dict[str, Any]], view: CounterView) -> dict[str, np.ndarray[Any, Any]]:
    """Everybody and everything that may have a row, pairs in both directions."""
    ids = {"user_id": "userId", "creator_id": "creatorId", "post_id": "postId", "topic_id": "topicId"}
    rows = {tuple(event.get(ids[key], 0) for key in view.join_keys) for event in events}
    if view.has_reverse:
        rows |= {tuple(reversed(row)) for row in rows}
    return dict(zip(view.join_keys, np.array(sorted(rows)).T, strict=True))


def _check(store: Any, client: RedisClient, events: list[dict[str, Any]]) -> int:
    """Compare every counter of every entity; returns how many numbers there were."""
    compared = 0
    for view in load_counter_views(store):
        registered = store.get_feature_view(view.name)
        entities = _entities(events, view)
        read = PackedReader([row_schema(registered, store.project)], client=client).read(entities)[view.name]
        keys = list(zip(*(column.tolist() for column in entities.values()), strict=True))
        at_us = {key: moment for key, moment in zip(keys, read.values["as_of"].tolist(), strict=True) if moment}
        expected = _brute_force(events, view, {f.name: f.tags.get("counts", "") for f in registered.features}, at_us)
        assert set(expected) == {key for key, found in zip(keys, read.found, strict=True) if found}
        stored = np.stack([read.values[counter.name] for counter in view.counters], axis=1)[read.found]
        brute = np.array([expected[key] for key, found in zip(keys, read.found, strict=True) if found])
        np.testing.assert_allclose(stored, brute, rtol=1e-6, atol=1e-6)
        compared += stored.size
    return compared


def test_features_equal_brute_force_though_workers_die_at_every_step_and_the_log_is_read_again(
    settings: "Settings", store: Any, client: RedisClient
) -> None:
    first_id = uuid.uuid4().int % 2**40 + 2**50
    log, worker = _log(first_id), uuid.uuid4().hex
    fate = Fate()

    def new_process() -> EngagementPipeline:
        pipeline = engagement_pipeline(settings, store, client)
        pipeline.counted = MortalCounted(client, worker, fate)
        pipeline.sink = MortalSink(pipeline.sink, fate)
        pipeline.gather_seconds = 0.5
        return pipeline

    def work(group: str) -> int:
        """As many processes as it takes, each going on where the one before has committed."""
        deaths = 0
        while True:
            pipeline, consumer = new_process(), log.consumer(group, [ENGAGEMENT])
            try:
                pipeline.lead()
                while messages := consumer.poll(MESSAGES_A_BATCH, 0):
                    pipeline.handle([Envelope.decode(message.value) for message in messages])
                    consumer.commit()
                pipeline.settle()
            except Killed:
                deaths += 1
            else:
                return deaths

    events = _distinct(log)
    assert len(events) == EVENTS
    assert work("features") == 2 * len(STEPS)
    assert set(fate.died_at) == STEPS
    assert _check(store, client, events) > 10_000
    assert work("features, from the start") == 0
    assert _check(store, client, events) > 10_000


def test_of_several_workers_that_begin_at_once_the_last_to_lead_decides(
    settings: "Settings", store: Any, client: RedisClient
) -> None:
    first_id, worker = uuid.uuid4().int % 2**40 + 2**51, uuid.uuid4().hex
    events = [
        EngagementEvent(
            f"{first_id}-{n}", Action.LIKE, first_id, first_id + 1, datetime.now(UTC), post_id=first_id, topic_id=1
        )
        for n in range(30)
    ]
    messages = [engagement_envelope(first_id, events[start : start + 10]) for start in (0, 10, 20)]
    workers = [engagement_pipeline(settings, store, client) for _ in range(3)]
    for each in workers:
        each.counted = RedisCountedEvents(client, worker)
        each.lead()
        each.handle(messages[:1])
    for deposed in workers[:2]:
        with pytest.raises(DeposedError):
            deposed.handle(messages)
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


@pytest.mark.parametrize("how", ["the worker notices", "killed with it", "killed while it writes history"])
def test_where_redis_is_emptied_counting_waits_for_its_features_to_be_restored(
    stack: "EmbeddedStack", settings: "Settings", tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """What was counted and not yet history included: online features are those of all events, afterwards, too."""
    valkey = EmbeddedStack(tmp_path)
    valkey.start(servers=("valkey",))
    redis_url = valkey.settings().redis_url
    monkeypatch.setenv("PHOTOFEED_STATE_DIR", str(stack.state.path))
    monkeypatch.setenv("PHOTOFEED_REDIS_URL", redis_url.get_secret_value())
    settings = settings.model_copy(update={"redis_url": redis_url})
    log = _log(uuid.uuid4().int % 2**40 + 2**52, 6_000, repeated=0)
    store, lake = open_feature_store(settings), open_lake(settings)
    try:
        with connect_redis(settings) as client:
            pipeline, consumer = engagement_pipeline(settings, store, client), log.consumer("features", [ENGAGEMENT])
            pipeline.gather_seconds = 3600  # much is pending when it happens
            pipeline.lead()
            for batch in range(3):
                pipeline.handle([Envelope.decode(message.value) for message in consumer.poll(100, 0)])
                if batch == 0:
                    pipeline.settle()
                if pipeline.settled or how == "the worker notices":
                    consumer.commit()
            if how == "killed while it writes history":
                pipeline.sink = HalfWritten(pipeline.sink, Fate())
                with pytest.raises(Killed):
                    pipeline.settle()
            assert not is_emptied(store, lake, client)
            client.flushall()
            if how == "the worker notices":
                with pytest.raises(EmptiedError):
                    pipeline.handle([Envelope.decode(message.value) for message in consumer.poll(100, 0)])
            assert is_emptied(store, lake, client)
            assert not list(client.scan_iter(scan_pattern(store.project, "user_activity")))
            told = CliRunner().invoke(feature_commands.app, ["rebuild"])
            assert told.exit_code == 0, told.output
            assert not is_emptied(store, lake, client)
            pipeline, consumer = engagement_pipeline(settings, store, client), log.consumer("features", [ENGAGEMENT])
            pipeline.lead()
            while messages := consumer.poll(100, 0):
                pipeline.handle([Envelope.decode(message.value) for message in messages])
                consumer.commit()
            assert _check(store, client, _distinct(log)) > 10_000
    finally:
        close_feature_store(store)
        valkey.stop()
