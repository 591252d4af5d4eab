"""Redis comes back without its last seconds, as after a power cut or a failover: it is noticed and repaired."""

import shutil
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
import redis

from ingestion.archive import Archive
from ingestion.bootstrap import engagement as bootstrap
from ingestion.bootstrap.engagement import engagement_pipeline
from ingestion.celebrities import Celebrities
from ingestion.engagement.accumulate import CounterDelta, CounterState
from ingestion.engagement.feature_sink import FeatureSink
from ingestion.fanout import Fanout
from ingestion.kept_marks import KeptMarks
from ingestion.timeline_rebuild import TimelineRebuild
from photofeed import database
from photofeed.database import Database
from photofeed.embedded.stack import EmbeddedStack
from photofeed.errors import RetryableError
from photofeed.events import Action, EngagementEvent, Envelope, engagement_envelope
from photofeed.feature_store import close_feature_store, open_feature_store
from photofeed.object_store import S3ObjectStore
from photofeed.offline_store.lake import open_lake
from photofeed.posts import PostRef, PublishedPost, decode_members
from photofeed.redis_client import RedisClient, connect_redis
from photofeed.timelines import TimelineWriter, hidden_key, timeline_key
from photofeed.topics import ENGAGEMENT
from tests.api.engagement_log import check_counters, distinct_events, event_log
from tests.api.feed_world import FeedWorld
from tests.doubles.event_log import InMemoryEventLog

if TYPE_CHECKING:
    from photofeed.settings import Settings


@dataclass
class Rolled:
    """A Valkey that can be put back to an earlier state, and the features worker on it."""

    stack: EmbeddedStack
    settings: "Settings"
    folder: Path

    def snapshot(self) -> None:
        """Keep the state of now."""
        with connect_redis(self.settings) as client:
            client.waitaof(1, 0, 60_000)
        shutil.copytree(self.stack.state.path / "valkey", self.folder)

    def go_back(self) -> None:
        """End Valkey, and start it from the snapshot."""
        self.stack.stop()
        shutil.rmtree(self.stack.state.path / "valkey")
        shutil.copytree(self.folder, self.stack.state.path / "valkey")
        self.stack.start(servers=("valkey",))


@pytest.fixture
def rolled(settings_with_own_lake: "Settings", tmp_path: Path) -> Iterator[Rolled]:
    valkey = EmbeddedStack(tmp_path / "state")
    valkey.start(servers=("valkey",))
    lake = settings_with_own_lake.model_copy(update={"redis_url": valkey.settings().redis_url})
    yield Rolled(valkey, lake, tmp_path / "snapshot")
    valkey.stop()


class GoesBack:
    """The feature store of a worker during one of whose batches Redis goes back in time."""

    def __init__(self, sink: FeatureSink, rolled: Rolled) -> None:
        self._sink = sink
        self._rolled: Rolled | None = rolled

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sink, name)

    def read(self, delta: CounterDelta) -> CounterState:
        rolled, self._rolled = self._rolled, None
        if rolled is not None:
            rolled.go_back()
        return self._sink.read(delta)


@dataclass
class Counting:
    """The features worker and the archive on a log, in steps."""

    rolled: Rolled
    store: Any
    client: RedisClient
    log: InMemoryEventLog
    archive: Archive

    def start(self, group: str = "features") -> None:
        """A new process."""
        self.pipeline = engagement_pipeline(self.rolled.settings, self.store, self.client)
        self.pipeline.flush_seconds = 3600
        self.pipeline.become_leader()
        self.consumer = self.log.consumer(group, [ENGAGEMENT])

    def count(self, batches: int) -> int:
        """Handle some batches; returns how many there were."""
        for batch in range(batches):
            messages = self.consumer.poll(100, 0)
            if not messages:
                return batch
            self.handle([Envelope.decode(message.value) for message in messages])
        return batches

    def handle(self, envelopes: Sequence[Envelope]) -> None:
        """As the loop of a worker, which tries again after a RetryableError."""
        self.archive.handle(envelopes)
        while True:
            try:
                self.pipeline.handle(envelopes)
            except (RetryableError, redis.ConnectionError):
                continue
            return

    def commit(self) -> None:
        self.pipeline.flush()
        self.consumer.commit()

    def forget_journal(self) -> None:
        """As after an hour of pushes."""
        objects, bucket = S3ObjectStore.connect(self.rolled.settings), self.rolled.settings.bucket_lake
        for key in list(objects.keys(bucket, "features-push/"))[:-1]:
            objects.delete(bucket, key)


@pytest.fixture
def counting(rolled: Rolled) -> Iterator[Counting]:
    store = open_feature_store(rolled.settings)
    log = event_log(uuid.uuid4().int % 2**40 + 2**55, 6_000, repeated=0)
    with connect_redis(rolled.settings) as client:
        yield Counting(rolled, store, client, log, Archive(open_lake(rolled.settings), rolled.settings.bucket_lake))
    close_feature_store(store)


@pytest.mark.parametrize("how", ["between two batches", "within a batch", "with the worker", "beyond the journal"])
def test_redis_that_goes_back_in_time_is_noticed_and_repaired(
    rolled: Rolled, counting: Counting, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Counters equal those of all events, none counts again, and what people hid stays hidden."""
    monkeypatch.setattr(bootstrap, "KafkaReader", lambda _: counting.log)
    hider = uuid.uuid4().int % 2**40 + 2**56
    hide = EngagementEvent(uuid.uuid4().hex, Action.HIDE, hider, hider + 1, datetime.now(UTC), hider + 2, 7, "photo")
    counting.start()
    counting.count(2)
    counting.commit()
    rolled.snapshot()
    counting.count(1)
    counting.commit()
    counting.handle([engagement_envelope(hider, [hide])])
    counting.count(1)
    counting.commit()
    counting.count(1)  # not in history yet
    if how == "beyond the journal":
        counting.forget_journal()
    if how == "within a batch":
        counting.pipeline.sink = cast("FeatureSink", GoesBack(counting.pipeline.sink, rolled))
    else:
        rolled.go_back()
    if how == "with the worker":
        counting.start()
    assert counting.count(1_000) > 0
    counting.commit()
    events = distinct_events(counting.log)
    assert check_counters(counting.store, counting.client, events) > 10_000
    assert counting.client.sismember(hidden_key(hider), hider + 2)
    counting.start("again, from the start")
    counting.count(1_000)
    assert check_counters(counting.store, counting.client, events) > 10_000


def test_redis_that_restarts_without_a_loss_is_no_reason_to_rebuild(
    rolled: Rolled, counting: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting.start()
    monkeypatch.setattr(counting.pipeline, "rebuild", pytest.fail)
    counting.count(2)
    counting.commit()
    counting.count(1)
    rolled.snapshot()
    rolled.go_back()
    counting.count(1_000)
    counting.commit()
    assert check_counters(counting.store, counting.client, distinct_events(counting.log)) > 10_000


@dataclass
class Delivering:
    """The fan-out worker, its database and a viewer of three authors."""

    settings: "Settings"
    pool: Database
    client: RedisClient
    world: FeedWorld
    viewer: int
    followed: list[int]

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """A new process."""
        marks = KeptMarks(self.pool, self.client, f"fanout-{self.viewer}")
        self.rebuild = TimelineRebuild(self.pool, self.client, self.settings.timeline_length, marks)
        writer = TimelineWriter(self.client, self.settings.timeline_length)
        self.fanout = Fanout(self.pool, writer, Celebrities(self.pool, writer, followers=1_000))

    def work(self, *envelopes: Envelope) -> None:
        """As the loop of the worker."""
        while True:
            try:
                self.rebuild.ensure()
                self.fanout.handle(envelopes)
                self.rebuild.finish()
            except (RetryableError, redis.ConnectionError):
                continue
            return

    def publish(self, author: int) -> PostRef:
        """A new post, delivered."""
        (post,) = self.world.posts([author], age=timedelta(0))
        published = PublishedPost(post, "photo", 0, 0, True, False, 1.0, 1.0, 1.0, 1.0)
        self.work(Envelope("photo.processed", str(post.post_id), published.to_payload()))
        return post

    def unfollow(self, author: int) -> None:
        with database.connect(self.settings) as connection:
            connection.execute("delete from follows where follower_id = %s and followee_id = %s", (self.viewer, author))
        self.work(Envelope("unfollowed", str(self.viewer), {"userId": self.viewer, "followeeId": author}))

    def remove(self, post: PostRef) -> None:
        with database.connect(self.settings) as connection:
            connection.execute("update posts set visible = false where id = %s", (post.post_id,))
        published = PublishedPost(post, "photo", 0, 0, True, False, 1.0, 1.0, 1.0, 1.0)
        self.work(Envelope("photo.removed", str(post.post_id), published.to_payload()))

    def timeline(self) -> set[int]:
        return set(decode_members(self.client.zrange(timeline_key(self.viewer), 0, -1))["post_id"].tolist())


@pytest.fixture
def delivering(rolled: Rolled) -> Iterator[Delivering]:
    world = FeedWorld(rolled.settings)
    viewer, *followed = world.people(4)
    world.follow(viewer, followed)
    with connect_redis(rolled.settings) as client, database.pool(rolled.settings) as pool:
        yield Delivering(rolled.settings, pool, client, world, viewer, followed)


@pytest.mark.parametrize("how", ["while the worker is idle", "while it delivers", "with the worker"])
def test_timelines_are_those_of_postgresql_after_redis_went_back(
    rolled: Rolled, delivering: Delivering, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    one, two, three = delivering.followed
    kept, gone, _ = delivering.publish(one), delivering.publish(two), delivering.publish(three)
    rolled.snapshot()
    lost = delivering.publish(one)
    delivering.remove(gone)
    delivering.unfollow(three)
    if how == "while it delivers":
        add = TimelineWriter.add_to_followers

        def add_and_lose(writer: TimelineWriter, post: PostRef, followers: Sequence[int]) -> None:
            add(writer, post, followers)
            monkeypatch.undo()
            rolled.go_back()

        monkeypatch.setattr(TimelineWriter, "add_to_followers", add_and_lose)
    else:
        rolled.go_back()
    if how == "with the worker":
        delivering.start()
    last = delivering.publish(two)
    delivering.work()  # as when no messages come
    assert delivering.timeline() == {post.post_id for post in (kept, lost, last)}


def test_timelines_are_not_rebuilt_after_a_restart_without_a_loss(
    rolled: Rolled, delivering: Delivering, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivering.publish(delivering.followed[0])
    rolled.snapshot()
    rolled.go_back()
    monkeypatch.setattr(TimelineRebuild, "rebuild", pytest.fail)
    delivering.work()
    delivering.start()
    delivering.work()
    assert len(delivering.timeline()) == 1
