"""Every event has its effect once, whatever is killed in between and however often messages come."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from ingestion.engagement.accumulate import CounterRows, CounterState, Touched
from ingestion.engagement.counted_events import Decided, EmptiedError, InMemoryCountedEvents
from ingestion.engagement.feature_sink import InMemoryFeatureSink
from ingestion.engagement.feed_memory import NoFeedMemory
from ingestion.engagement.pipeline import EngagementPipeline
from ingestion.engagement.push_journal import StoredPushJournal
from photofeed.errors import PoisonError, RetryableError
from photofeed.events import Action, EngagementEvent, Envelope, engagement_envelope
from photofeed.features.counters import counter_view
from photofeed.features.event_columns import EventColumns
from photofeed.object_store import InMemoryObjectStore
from photofeed.posts import PostRef, PublishedPost

NEVER = {"half_life_seconds": "inf"}
LIKES = ("likes_24h", {"counts": "like=1"} | NEVER)
VIEWS = [
    counter_view("post_engagement", ["post_id"], [LIKES]),
    counter_view("user_activity", ["user_id"], [("events_total", {"counts": "any=1"} | NEVER)]),
]
START = datetime(2026, 3, 1, tzinfo=UTC)


class Killed(BaseException):
    """The process ends here."""


class DyingSink(InMemoryFeatureSink):
    """A sink whose process dies once, before or after it has pushed."""

    def __init__(self, *, after_push: bool) -> None:
        super().__init__()
        self._after_push = after_push
        self._dead = False

    def push_online(self, rows: Sequence[CounterRows]) -> None:
        if self._dead:
            super().push_online(rows)
            return
        self._dead = True
        if self._after_push:
            super().push_online(rows)
        raise Killed


class Emptied(InMemoryCountedEvents):
    """A memory that is lost while rows are on their way into history."""

    def __init__(self) -> None:
        super().__init__()
        self.lost = False

    def mark(self, events: EventColumns, rows: Sequence[CounterRows]) -> None:
        self._check()
        super().mark(events, rows)

    def pending(self) -> list[Decided]:
        self._check()
        return super().pending()

    def pushed(self) -> None:
        self.lost = True
        self._check()

    def _check(self) -> None:
        if self.lost:
            raise EmptiedError


def _batch(count: int) -> Envelope:
    events = [
        EngagementEvent(f"event-{n}", Action.LIKE, 1, 9, START + timedelta(seconds=n), post_id=5, topic_id=7)
        for n in range(count)
    ]
    return engagement_envelope(1, events)


def _journal() -> StoredPushJournal:
    return StoredPushJournal(InMemoryObjectStore(), "lake")


def _pipeline(counted: InMemoryCountedEvents, sink: InMemoryFeatureSink) -> EngagementPipeline:
    return EngagementPipeline(VIEWS, counted, sink, NoFeedMemory(), _journal())


def _totals(sink: InMemoryFeatureSink) -> tuple[float, float]:
    return sink.online["post_engagement", (5,)][1][0], sink.online["user_activity", (1,)][1][0]


@pytest.mark.parametrize("after_push", [False, True])
def test_a_kill_around_the_push_neither_loses_nor_doubles(after_push: bool) -> None:
    counted, sink = InMemoryCountedEvents(), DyingSink(after_push=after_push)
    with pytest.raises(Killed):
        _pipeline(counted, sink).handle([_batch(3)])
    _pipeline(counted, sink).handle([_batch(3)])
    assert _totals(sink) == (3, 3)


def test_what_history_has_is_done_though_redis_is_lost_before_it_is_told_so() -> None:
    sink = InMemoryFeatureSink()
    pipeline = _pipeline(Emptied(), sink)
    pipeline.handle([_batch(3)])  # the worker commits
    assert pipeline.settled
    history = list(sink.history)
    assert {each.view for each in history} == {view.name for view in VIEWS}
    with pytest.raises(EmptiedError):
        pipeline.handle([_batch(4)])
    assert sink.history == history


def test_a_push_that_was_cut_off_is_finished_once_and_what_was_committed_is_left_as_it_is() -> None:
    class CutOff(InMemoryFeatureSink):
        def push_offline(self, rows: Sequence[CounterRows]) -> None:
            super().push_offline(rows[:1])
            raise Killed

    journal, cut_off, rebuilt = _journal(), CutOff(), InMemoryFeatureSink()
    with pytest.raises(Killed):
        EngagementPipeline(VIEWS, InMemoryCountedEvents(), cut_off, NoFeedMemory(), journal).handle([_batch(3)])
    assert len(cut_off.history) == 1
    after = EngagementPipeline(VIEWS, InMemoryCountedEvents(), rebuilt, NoFeedMemory(), journal)  # Redis was emptied
    assert after.finish_push() == 3
    assert [each.view for each in rebuilt.history] == [view.name for view in VIEWS]
    after.handle([_batch(3)])  # the messages come again
    assert after.finish_push() == 0
    assert len(rebuilt.history) == len(VIEWS)


def test_where_redis_is_lost_while_history_is_away_nothing_is_taken_for_done() -> None:
    class Away(InMemoryFeatureSink):
        def push_offline(self, rows: Sequence[CounterRows]) -> None:
            raise RetryableError(f"{len(rows)} rows have nowhere to go")

    counted = Emptied()
    pipeline = _pipeline(counted, Away())
    with pytest.raises(RetryableError, match="nowhere"):
        pipeline.handle([_batch(3)])
    counted.lost = True
    with pytest.raises(EmptiedError):
        pipeline.handle([_batch(3)])
    with pytest.raises(EmptiedError):
        pipeline.settle()
    assert not pipeline.settled


def test_a_view_that_was_changed_after_a_kill_is_counted_anew_and_the_others_go_on() -> None:
    counted = InMemoryCountedEvents()
    with pytest.raises(Killed):
        _pipeline(counted, DyingSink(after_push=False)).handle([_batch(3)])
    changed = counter_view("post_engagement", ["post_id"], [("likes_7d", {"counts": "like=1"} | NEVER), LIKES])
    sink = InMemoryFeatureSink()
    EngagementPipeline([changed, VIEWS[1]], counted, sink, NoFeedMemory(), _journal()).handle([_batch(4)])
    assert _totals(sink) == (1, 4)


def test_messages_that_come_again_change_nothing() -> None:
    counted, sink = InMemoryCountedEvents(), InMemoryFeatureSink()
    pipeline = _pipeline(counted, sink)
    for batch in ([_batch(2)], [_batch(2), _batch(4)], [_batch(4)]):
        pipeline.handle(batch)
    assert _totals(sink) == (4, 4)


def test_a_store_that_is_away_leaves_the_events_for_the_next_try() -> None:
    class Away(InMemoryFeatureSink):
        def read(self, touched: Touched) -> CounterState:
            raise RetryableError(f"away: {touched.view.name}")

    counted, sink = InMemoryCountedEvents(), InMemoryFeatureSink()
    with pytest.raises(RetryableError):
        _pipeline(counted, Away()).handle([_batch(2)])
    _pipeline(counted, sink).handle([_batch(2)])
    assert _totals(sink) == (2, 2)


def test_a_published_post_gives_its_content_features() -> None:
    sink = InMemoryFeatureSink()
    post = PublishedPost(
        PostRef(5, 9, 7, int(START.timestamp() * 1000)),
        content_type="reel",
        caption_length=12,
        tag_count=3,
        public=True,
        imported=True,
        aspect=1.5,
        sharpness=100.0,
        brightness=0.5,
        entropy=7.0,
    )
    _pipeline(InMemoryCountedEvents(), sink).handle([Envelope("photo.processed", "5", post.to_payload())])
    (columns,) = sink.values["post_content"]
    assert columns["post_id"].tolist() == [5]
    assert columns["is_reel"].tolist() == [1.0]
    assert columns["created"] == columns["event_timestamp"] == [START]


def test_a_message_that_is_no_event_is_poison() -> None:
    with pytest.raises(PoisonError):
        _pipeline(InMemoryCountedEvents(), InMemoryFeatureSink()).handle(
            [Envelope("engagement", "1", {"events": [{}]})]
        )
