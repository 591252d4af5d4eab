"""Features counted by several workers at once equal those of one, with kills at every step and partitions that move."""

import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from ingestion.bootstrap import engagement as bootstrap
from ingestion.bootstrap.counting import counted_events
from ingestion.bootstrap.engagement import engagement_pipeline, restore_features
from ingestion.engagement.accumulate import CounterRows
from ingestion.engagement.counted_events import EmptiedError, EventIds, Partial, RedisCountedEvents
from ingestion.engagement.credits import Credits
from ingestion.engagement.feature_sink import FeastSink, FeatureSink
from ingestion.engagement.partials import PartialExchange, Partitions
from ingestion.engagement.pipeline import EngagementPipeline
from ingestion.engagement.push_journal import StoredPushJournal
from ingestion.engagement.stages import StagedPipeline
from photofeed.counted_ids import features_tag
from photofeed.embedded.stack import EmbeddedStack
from photofeed.errors import RetryableError
from photofeed.event_log import EventPublisher
from photofeed.events import Envelope
from photofeed.feature_store import close_feature_store, load_counter_views, open_feature_store
from photofeed.redis_client import RedisClient, connect_redis
from photofeed.settings import TWO_STAGES
from photofeed.topics import ENGAGEMENT, ENGAGEMENT_PARTIAL, FEATURES_GROUP
from photofeed.write_marks import NoMarks
from tests.api.engagement_log import check_counters, distinct_events, event_log
from tests.doubles.event_log import InMemoryEventLog
from tests.doubles.object_store import InMemoryObjectStore

if TYPE_CHECKING:
    from photofeed.settings import Settings

PARTITIONS = ENGAGEMENT.partitions
MESSAGES_A_BATCH = 60
STEPS = {"before pending", "after pending", "after online", "before publishing", "after publishing", "before clearing"}


class Killed(BaseException):
    """The process dies here."""


@dataclass
class Fate:
    """Kills at the second and the fifth execution of each step."""

    times: Counter[str] = field(default_factory=Counter)
    died_at: set[str] = field(default_factory=set)

    def step(self, name: str) -> None:
        self.times[name] += 1
        if self.times[name] in {2, 5}:
            self.died_at.add(name)
            raise Killed(name)


class MortalCounted(RedisCountedEvents):
    """The memory of a process that may die."""

    fate: Fate

    def add_pending(
        self, events: EventIds, rows: Sequence[CounterRows], states: Credits, partials: Sequence[Partial] = ()
    ) -> None:
        self.fate.step("before pending")
        super().add_pending(events, rows, states, partials)
        self.fate.step("after pending")

    def clear_pending(self) -> None:
        self.fate.step("before clearing")
        super().clear_pending()


class Mortal:
    """Something that dies before or after one of its methods."""

    def __init__(self, whole: Any, fate: Fate, method: str, before: str | None, after: str) -> None:
        self._whole, self._fate, self._steps = whole, fate, (method, before, after)

    def __getattr__(self, name: str) -> Any:
        found, (method, before, after) = getattr(self._whole, name), self._steps
        if name != method:
            return found

        def work(*arguments: Any, **options: Any) -> Any:
            if before is not None:
                self._fate.step(before)
            done = found(*arguments, **options)
            self._fate.step(after)
            return done

        return work


@dataclass
class Group:
    """The workers of the group, and what they have committed; each has some of the partitions of both topics."""

    settings: "Settings"
    store: Any
    client: RedisClient
    log: InMemoryEventLog
    fate: Fate
    name: str = field(default_factory=lambda: uuid.uuid4().hex)
    objects: InMemoryObjectStore = field(default_factory=InMemoryObjectStore)
    committed: Counter[tuple[str, int]] = field(default_factory=Counter)
    keeps_marks: bool = False  # needs a Redis of its own: marks have no name of the group

    def worker(self) -> StagedPipeline:
        """A new process."""
        sink = FeastSink(self.store, self.client, load_counter_views(self.store))
        return StagedPipeline(self._open, cast("FeatureSink", sink), flush_seconds=0.0)

    def _open(self, partition: int) -> EngagementPipeline:
        pipeline = self.pipeline(partition)
        pipeline.become_leader()
        return pipeline

    def pipeline(self, partition: int) -> EngagementPipeline:
        """Of a partition, and not its leader."""
        publisher = Mortal(self.log, self.fate, "publish_encoded", "before publishing", "after publishing")
        pipeline = engagement_pipeline(self.settings, self.store, self.client, partition=partition)
        counted = MortalCounted(self.client, self.name, features_tag(is_cluster=False, partition=partition))
        counted.fate = self.fate
        pipeline.counted = counted
        if not self.keeps_marks:
            pipeline.marks = NoMarks()
        pipeline.journal = StoredPushJournal(self.objects, "lake", partition)
        pipeline.sink = cast("FeatureSink", Mortal(pipeline.sink, self.fate, "push_online", None, "after online"))
        pipeline.exchange = PartialExchange(Partitions(PARTITIONS), cast("EventPublisher", publisher))
        return pipeline

    def step(self, worker: StagedPipeline, partitions: set[int]) -> int:
        """One batch of a worker; returns its number of messages."""
        ends = dict(self.committed)
        envelopes = []
        for topic in (ENGAGEMENT.name, ENGAGEMENT_PARTIAL.name):
            for message in self.log.read(topic):
                place = (topic, message.partition)
                taken = ends.get(place, 0)
                if message.partition in partitions and taken <= message.offset < taken + MESSAGES_A_BATCH // 4:
                    envelopes.append(Envelope.decode(message.value, message.partition))
                    self.committed.setdefault(place, 0)
                    ends.setdefault(place, 0)
        taken_now = Counter((envelope.type, envelope.partition) for envelope in envelopes)
        while True:
            try:
                worker.handle(envelopes)
            except EmptiedError:
                raise
            except RetryableError:
                continue
            break
        if worker.is_flushed:
            for (kind, partition), count in taken_now.items():
                topic = ENGAGEMENT.name if kind == "engagement" else ENGAGEMENT_PARTIAL.name
                self.committed[topic, partition] += count
        return len(envelopes)


@pytest.fixture
def store(settings: "Settings") -> Iterator[Any]:
    store = open_feature_store(settings)
    yield store
    close_feature_store(store)


@pytest.fixture
def client(settings: "Settings") -> Iterator[RedisClient]:
    with connect_redis(settings) as client:
        yield client


def test_several_workers_count_as_one_whatever_is_killed_and_wherever_partitions_move(
    settings: "Settings", store: Any, client: RedisClient
) -> None:
    log = event_log(uuid.uuid4().int % 2**40 + 2**57, 6_000)
    group = Group(settings, store, client, log, Fate())
    workers, owned = [group.worker(), group.worker()], [{0, 1}, {2, 3}]
    idle = 0
    while idle < 2:
        for number in (0, 1):
            try:
                idle = 0 if group.step(workers[number], owned[number]) else idle + 1
            except Killed:
                workers[number] = group.worker()
                owned.reverse()  # partitions move without a word to the other worker, which may have them still
                idle = 0
    assert group.fate.died_at == STEPS
    events = distinct_events(log)
    assert check_counters(store, client, events) > 10_000
    group.committed.clear()
    again = group.worker()
    while group.step(again, {0, 1, 2, 3}):
        pass
    assert check_counters(store, client, events) > 10_000
    for partition in range(PARTITIONS):
        assert counted_events(settings, client, partition).pending() == []


@pytest.mark.parametrize("notices", ["while counting", "while flushing"])
def test_after_redis_is_emptied_events_whose_partial_sums_are_sent_do_not_count_again(
    settings_with_own_lake: "Settings", tmp_path: Path, monkeypatch: pytest.MonkeyPatch, notices: str
) -> None:
    """A worker has counted events in several partitions, and history does not have them yet."""
    log = event_log(uuid.uuid4().int % 2**40 + 2**59, 6_000, repeated=0)
    monkeypatch.setattr(bootstrap, "KafkaReader", lambda _: log)
    with ExitStack() as owned:
        valkey = EmbeddedStack(tmp_path)
        owned.callback(valkey.stop)
        valkey.start(servers=("valkey",))
        changes = {"redis_url": valkey.settings().redis_url, "features_stages": TWO_STAGES}
        settings = settings_with_own_lake.model_copy(update=changes)
        store = open_feature_store(settings)
        owned.callback(close_feature_store, store)
        client = owned.enter_context(connect_redis(settings))
        group = Group(settings, store, client, log, Fate(Counter(dict.fromkeys(STEPS, 10))), keeps_marks=True)
        worker, everything = group.worker(), set(range(PARTITIONS))
        group.step(worker, everything)
        group.step(worker, everything)
        worker.flush_seconds = float("inf")
        group.step(worker, everything)
        assert not worker.is_flushed
        client.flushall()
        with pytest.raises(EmptiedError):
            group.step(worker, everything) if notices == "while counting" else _flush(worker)
        log.consumer(FEATURES_GROUP, []).commit(dict(group.committed))
        restore_features(settings, store, client, [group.pipeline(partition) for partition in everything])
        worker = group.worker()
        while group.step(worker, everything):
            pass
        assert check_counters(store, client, distinct_events(log)) > 10_000


def _flush(worker: StagedPipeline) -> None:
    """As the loop of the worker when no messages come."""
    while not worker.is_flushed:
        try:
            worker.flush()
        except EmptiedError:
            raise
        except RetryableError:
            continue


def test_partial_sums_of_messages_are_added_once(settings: "Settings", store: Any, client: RedisClient) -> None:
    log = event_log(uuid.uuid4().int % 2**40 + 2**58, 400, repeated=0)
    group = Group(settings, store, client, log, Fate(Counter(dict.fromkeys(STEPS, 10))))
    worker = group.worker()
    while group.step(worker, {0, 1, 2, 3}):
        pass
    partials = [(message.key, message.value) for message in log.read(ENGAGEMENT_PARTIAL.name)]
    assert partials
    log.publish_encoded(ENGAGEMENT_PARTIAL.name, partials)
    while group.step(worker, {0, 1, 2, 3}):
        pass
    assert check_counters(store, client, distinct_events(log)) > 100
