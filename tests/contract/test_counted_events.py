"""The contract of CountedEvents, on the double and on Redis."""

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import orjson
import pytest
from pydantic import SecretStr
from redis.cluster import RedisCluster

from ingestion.engagement.accumulate import CounterRows
from ingestion.engagement.counted_events import (
    CREDITED_FOR,
    REMEMBERED_FOR,
    CountedEvents,
    EmptiedError,
    FencedError,
    PendingBatch,
    RedisCountedEvents,
    RolledBackError,
    features_epoch_key,
)
from ingestion.engagement.credits import Credits, credits_of
from photofeed.counted_ids import counted_key, features_tag
from photofeed.events import Action, EngagementEvent
from photofeed.features.event_columns import EventColumns
from photofeed.redis_client import RedisClient, connect_redis
from tests.doubles.counted_events import InMemoryCountedEvents

if TYPE_CHECKING:
    from photofeed.embedded.stack import EmbeddedStack

ROWS = CounterRows(
    "post",
    ("likes",),
    np.array([[2**62, 5]]),
    np.array([1_700_000_000_000_001]),
    np.array([1_700_000_000_000_002]),
    np.array([[0.1, 1 / 3]]),
)


NOTHING = Credits.none_of(np.zeros((0, 4), np.int64))


NewWorker = Callable[[str], RedisCountedEvents]


@pytest.fixture(params=["one server", "cluster"])
def client(request: pytest.FixtureRequest) -> Iterator[RedisClient]:
    """Every test that asks for it runs on one server and on a cluster."""
    stack: EmbeddedStack = request.getfixturevalue("stack")
    settings = stack.settings()
    if request.param == "cluster":
        url = SecretStr(request.getfixturevalue("valkey_cluster").url)
        settings = settings.model_copy(update={"redis_url": url})
    with connect_redis(settings) as client:
        yield client


@pytest.fixture
def new_worker(client: RedisClient) -> NewWorker:
    tag = features_tag(is_cluster=isinstance(client, RedisCluster))
    return lambda worker: RedisCountedEvents(client, worker, tag)


@pytest.fixture(params=["memory", "one server", "cluster"])
def counted(request: pytest.FixtureRequest) -> Iterator[CountedEvents]:
    if request.param == "memory":
        yield InMemoryCountedEvents()
        return
    stack: EmbeddedStack = request.getfixturevalue("stack")
    settings, is_cluster = stack.settings(), request.param == "cluster"
    if is_cluster:
        url = SecretStr(request.getfixturevalue("valkey_cluster").url)
        settings = settings.model_copy(update={"redis_url": url})
    with connect_redis(settings) as client:
        yield RedisCountedEvents(client, uuid.uuid4().hex, features_tag(is_cluster=is_cluster))


def _events(*names: str) -> EventColumns:
    now = datetime.now(UTC)
    events = [EngagementEvent(name, Action.OPEN, 1, 2, now - timedelta(days=n)) for n, name in enumerate(names)]
    return EventColumns.from_payloads([event.to_payload() for event in events])


def test_an_event_counts_once_within_a_batch_and_between_batches(counted: CountedEvents) -> None:
    one, other = uuid.uuid4().hex, uuid.uuid4().hex
    assert counted.uncounted(_events(one, other)).id.tolist() == [one, other]
    twice = _events(one, one)
    twice.occurred_us[1] = twice.occurred_us[0]
    assert counted.uncounted(twice).id.tolist() == [one]
    counted.add_pending(_events(one), [], NOTHING)
    assert counted.uncounted(_events(one, other)).id.tolist() == [other]
    before = counted.count()
    counted.remember(_events(one, other))
    assert len(counted.uncounted(_events(one, other))) == 0
    assert counted.count() == before + 1


def test_rows_of_all_batches_are_kept_exactly_until_they_are_pushed(counted: CountedEvents) -> None:
    assert counted.pending() == []
    batches = [_events(uuid.uuid4().hex), _events(uuid.uuid4().hex)]
    for events in batches:
        counted.add_pending(events, [ROWS], NOTHING)
    pending = counted.pending()
    assert [(each.id.tolist(), each.day.tolist()) for each in pending] == [
        (events.id.tolist(), events.day.tolist()) for events in batches
    ]
    for (kept,) in (each.rows for each in pending):
        assert (kept.view, kept.counters) == (ROWS.view, ROWS.counters)
        for name in ("keys", "as_of_us", "created_us", "values"):
            np.testing.assert_array_equal(getattr(kept, name), getattr(ROWS, name))
    counted.clear_pending()
    assert counted.pending() == []


def test_credits_are_remembered_with_their_events_and_merged(counted: CountedEvents) -> None:
    user = uuid.uuid4().int % 2**60
    now = datetime.now(UTC)

    def states(second: int, dwell_ms: int) -> Credits:
        event = EngagementEvent("e", Action.DWELL, user, 2, now + timedelta(seconds=second), 5, dwell_ms=dwell_ms)
        return credits_of(EventColumns.from_payloads([event.to_payload()]))

    first, longer, shorter = states(0, 2000), states(1, 3000), states(2, 1000)
    assert counted.credits(first.slots).best.tolist() == [-1]
    counted.add_pending(_events(uuid.uuid4().hex), [ROWS], first)
    assert counted.credits(first.slots).best.tolist() == first.best.tolist()
    assert counted.pending()[-1].credits.best.tolist() == first.best.tolist()
    for more in (longer, shorter):
        counted.merge_credits(more)
    assert counted.credits(first.slots).best.tolist() == longer.best.tolist()
    assert counted.credits(first.slots).dwell_seconds.tolist() == [3.0]


def test_ids_and_credits_are_remembered_for_weeks_and_not_for_ever(client: RedisClient, new_worker: NewWorker) -> None:
    tag, worker = features_tag(is_cluster=isinstance(client, RedisCluster)), new_worker(uuid.uuid4().hex)
    user, day = uuid.uuid4().int % 2**60, datetime(1999, 12, 31, tzinfo=UTC)  # a day of which there are no other events
    event = EngagementEvent(uuid.uuid4().hex, Action.DWELL, user, 2, day, user + 1, dwell_ms=2000)
    columns = EventColumns.from_payloads([event.to_payload()])
    states = credits_of(columns)
    ((week, target, *_),) = states.slots.tolist()
    worker.become_leader()
    worker.add_pending(columns, [], states)
    kept = {counted_key(day.date(), tag): REMEMBERED_FOR, f"{tag}credits:{week}:{target}": CREDITED_FOR}
    for key, span in kept.items():
        assert span.total_seconds() - 60 < client.ttl(key) <= span.total_seconds(), key


def test_a_batch_from_before_there_were_credits_is_read() -> None:
    batch = PendingBatch(np.array(["a"], np.object_), np.array([1]), [ROWS], NOTHING)
    line = orjson.dumps(orjson.loads(batch.encode())[:3])
    assert PendingBatch.decode(line).encode() == batch.encode()


def test_a_fenced_worker_writes_nothing(new_worker: NewWorker) -> None:
    worker, event = uuid.uuid4().hex, _events(uuid.uuid4().hex)
    old, new = new_worker(worker), new_worker(worker)
    old.become_leader()
    old.add_pending(_events(uuid.uuid4().hex), [], NOTHING)
    new.become_leader()
    for write in (partial(old.add_pending, event, [ROWS], NOTHING), old.clear_pending):
        with pytest.raises(FencedError):
            write()
    assert len(new.uncounted(event)) == 1
    assert len(new.pending()) == 1
    new.add_pending(event, [], NOTHING)


def test_a_leader_does_not_count_on_after_redis_was_emptied(client: RedisClient, new_worker: NewWorker) -> None:
    worker, event = uuid.uuid4().hex, _events(uuid.uuid4().hex)
    counted = new_worker(worker)
    counted.become_leader()
    counted.add_pending(_events(uuid.uuid4().hex), [ROWS], NOTHING)
    client.delete(features_epoch_key(worker, features_tag(is_cluster=isinstance(client, RedisCluster))))
    with pytest.raises(EmptiedError, match="photofeed features rebuild"):
        counted.add_pending(event, [ROWS], NOTHING)
    for ask in (counted.clear_pending, counted.pending):
        with pytest.raises(EmptiedError):
            ask()
    assert len(counted.uncounted(event)) == len(new_worker(worker).pending()) == 1


def test_batches_that_an_older_release_left_pending_are_finished(stack: "EmbeddedStack") -> None:
    worker, former = uuid.uuid4().hex, _events(uuid.uuid4().hex)
    with connect_redis(stack.settings()) as client:
        line = PendingBatch(former.id, former.day, [ROWS], NOTHING).encode()
        client.rpush(f"features:decided:{worker}", line)
        counted = RedisCountedEvents(client, worker)
        counted.become_leader()
        counted.add_pending(_events(uuid.uuid4().hex), [ROWS], NOTHING)
        first, _ = counted.pending()
        assert first.encode() == line
        counted.clear_pending()
        assert counted.pending() == []


def test_a_batch_of_any_size_is_written_at_once(counted: CountedEvents) -> None:
    events, now = _events(*(f"{uuid.uuid4().hex}" for _ in range(30_000))), datetime.now(UTC)
    many = [EngagementEvent("e", Action.OPEN, user + 1, 2, now, 5) for user in range(30_000)]
    states = credits_of(EventColumns.from_payloads([event.to_payload() for event in many]))
    counted.add_pending(events.part(0, 10_000), [ROWS], states)
    assert counted.known(events).sum() == 10_000
    assert (counted.credits(states.slots).best == states.best).all()


def test_a_leader_notices_that_its_last_write_is_lost(client: RedisClient, new_worker: NewWorker) -> None:
    """As after a restart from an older state: the key of the sequence has the value of before the write."""
    worker, event = uuid.uuid4().hex, _events(uuid.uuid4().hex)
    counted = new_worker(worker)
    counted.become_leader()
    tag = features_tag(is_cluster=isinstance(client, RedisCluster))
    for _ in range(2):
        counted.add_pending(_events(uuid.uuid4().hex), [ROWS], NOTHING)
    client.set(f"{tag}features:sequence:{worker}", 1)
    with pytest.raises(RolledBackError):
        counted.add_pending(event, [ROWS], NOTHING)
    assert not counted.known(event).any()


def test_a_write_that_a_client_repeats_changes_nothing(client: RedisClient) -> None:
    """A client sends a command again when the connection is lost before the reply."""

    class Twice:
        def __getattr__(self, name: str) -> Any:
            return getattr(client, name)

        def eval(self, *arguments: Any) -> Any:
            client.eval(*arguments)
            return client.eval(*arguments)

    tag = features_tag(is_cluster=isinstance(client, RedisCluster))
    counted = RedisCountedEvents(cast("RedisClient", Twice()), uuid.uuid4().hex, tag)
    counted.become_leader()
    for _ in range(2):
        counted.add_pending(_events(uuid.uuid4().hex), [ROWS], NOTHING)
    assert len(counted.pending()) == 2
    counted.clear_pending()
    assert counted.pending() == []
