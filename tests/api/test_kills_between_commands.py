"""Online features equal those of the distinct events when the worker dies between any two commands to Redis."""

import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
import pytest
from pydantic import SecretStr
from redis.cluster import ClusterPipeline, RedisCluster

from ingestion.engagement.accumulate import CounterDelta, CounterRows, CounterState
from ingestion.engagement.counted_events import RedisCountedEvents
from ingestion.engagement.feature_sink import FeastSink
from ingestion.engagement.feed_memory import RedisFeedMemory
from ingestion.engagement.pipeline import EngagementPipeline
from ingestion.engagement.push_journal import StoredPushJournal
from photofeed.counted_ids import features_tag
from photofeed.events import Action, EngagementEvent, Envelope, engagement_envelope
from photofeed.feature_store import close_feature_store, load_counter_views, open_feature_store
from photofeed.features.counters import CounterView
from photofeed.online_store.feast_schema import row_schema
from photofeed.online_store.reader import PackedReader
from photofeed.redis_client import RedisClient, connect_redis
from photofeed.topics import ENGAGEMENT
from tests.doubles.event_log import InMemoryEventLog
from tests.doubles.object_store import InMemoryObjectStore

if TYPE_CHECKING:
    from photofeed.settings import Settings

MESSAGES, EVENTS_A_MESSAGE, MESSAGES_A_BATCH = 6, 3, 2


class Killed(BaseException):
    """The process dies here."""


class MortalClient:
    """A client of Redis whose process dies before one of its commands; those of a pipeline are sent one by one."""

    def __init__(self, client: RedisClient, dies_before: int) -> None:
        self._client, self._left = client, dies_before

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if name not in {"eval", "incr", "get", "set", "hgetall", "lrange", "exists"}:
            return found

        def command(*arguments: Any, **options: Any) -> Any:
            self.count()
            return found(*arguments, **options)

        return command

    def count(self) -> None:
        if self._left == 0:
            raise Killed
        self._left -= 1

    def pipeline(self, *, transaction: bool) -> "MortalPipeline":
        return MortalPipeline(self, self._client.pipeline(transaction=transaction))

    @property
    def is_alive(self) -> bool:
        return self._left > 0


class MortalPipeline:
    """Sends each command by itself."""

    def __init__(self, mortal: MortalClient, pipeline: Any) -> None:
        self._mortal, self._pipeline = mortal, pipeline

    @property  # type: ignore[misc]  # as mocks do
    def __class__(self) -> Any:
        """The kind of pipeline that it is for: on a cluster, rows are written one by one."""
        return type(self._pipeline)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pipeline.reset()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pipeline, name)

    def execute(self) -> list[Any]:
        waiting = _queued(self._pipeline)
        self._pipeline.reset()
        replies: list[Any] = []
        for arguments, options in waiting:
            self._mortal.count()
            self._pipeline.execute_command(*arguments, **options)
            replies += self._pipeline.execute()
        return replies


def _queued(pipeline: Any) -> list[tuple[Any, Any]]:
    if isinstance(pipeline, ClusterPipeline):
        # redis-py has no public name for them
        return [(one.args, one.options) for one in pipeline._execution_strategy.command_queue]
    return list(pipeline.command_stack)


class Online(FeastSink):
    """The online store of a process that may die; history is not of interest here."""

    def __init__(self, store: Any, client: RedisClient, mortal: MortalClient, views: Sequence[CounterView]) -> None:
        super().__init__(store, client, views)
        self._mortal = mortal
        self._redis = cast("RedisClient", mortal)

    def read(self, delta: CounterDelta) -> CounterState:
        """The counters now."""
        self._mortal.count()
        return super().read(delta)

    def push_offline(self, rows: Sequence[CounterRows]) -> None:
        """Nothing."""


@pytest.fixture(params=["one server", "cluster"])
def client(request: pytest.FixtureRequest, settings: "Settings") -> Iterator[RedisClient]:
    if request.param == "cluster":
        url = SecretStr(request.getfixturevalue("valkey_cluster").url)
        settings = settings.model_copy(update={"redis_url": url})
    with connect_redis(settings) as client:
        yield client


@pytest.fixture
def store(settings: "Settings") -> Iterator[Any]:
    store = open_feature_store(settings)
    yield store
    close_feature_store(store)


def _log(first: int) -> InMemoryEventLog:
    log, now = InMemoryEventLog(), datetime.now(UTC) - timedelta(minutes=5)
    actions = (Action.LIKE, Action.OPEN, Action.IMPRESSION)
    messages = [
        engagement_envelope(
            first + number,
            [
                EngagementEvent(
                    f"{first}-{number}-{place}", actions[place], first + number, first, now, first + place, 7, "photo"
                )
                for place in range(EVENTS_A_MESSAGE)
            ],
        )
        for number in range(MESSAGES)
    ]
    log.publish(ENGAGEMENT.name, [*messages, messages[0]])
    return log


def test_a_kill_between_any_two_commands_loses_and_repeats_no_event(client: RedisClient, store: Any) -> None:
    views = load_counter_views(store)
    tag = features_tag(is_cluster=isinstance(client, RedisCluster))
    reader = PackedReader([row_schema(store.get_feature_view("creator_engagement"), store.project)], client=client)
    dies_before = 0
    while True:
        first, worker = uuid.uuid4().int % 2**40 + 2**54, uuid.uuid4().hex
        log, journal = _log(first), StoredPushJournal(InMemoryObjectStore(), "lake")
        lives = [MortalClient(client, dies_before), MortalClient(client, 10**9)]
        for mortal in lives:
            redis = cast("RedisClient", mortal)
            pipeline = EngagementPipeline(
                views,
                RedisCountedEvents(redis, worker, tag),
                Online(store, client, mortal, views),
                RedisFeedMemory(redis),
                journal,
                flush_seconds=60,
            )
            consumer = log.consumer("features", [ENGAGEMENT])
            try:
                pipeline.become_leader()
                while messages := consumer.poll(MESSAGES_A_BATCH, 0):
                    pipeline.handle([Envelope.decode(message.value) for message in messages])
                pipeline.flush()
                consumer.commit()
            except Killed:
                continue
        rows = reader.read({"creator_id": np.array([first])})["creator_engagement"]
        likes = rows.values["likes_7d"][0]
        assert likes == pytest.approx(MESSAGES, rel=1e-3), dies_before
        if lives[0].is_alive:
            break
        dies_before += 1
    assert dies_before > 50
