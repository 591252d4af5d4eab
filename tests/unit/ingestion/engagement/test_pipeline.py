"""Every event is counted exactly once, with kills at any step and repeated messages."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from prometheus_client import REGISTRY

from ingestion.engagement import pipeline as module
from ingestion.engagement.accumulate import CounterDelta, CounterRows, CounterState
from ingestion.engagement.counted_events import EmptiedError, EventIds, Partial, PendingBatch, RolledBackError
from ingestion.engagement.credits import Credits
from ingestion.engagement.pipeline import FRESHNESS, EngagementPipeline
from ingestion.engagement.push_journal import StoredPushJournal
from photofeed.errors import PoisonError, RetryableError
from photofeed.events import Action, EngagementEvent, Envelope, engagement_envelope
from photofeed.features.counters import counter_view
from photofeed.posts import PostRef, PublishedPost
from photofeed.write_marks import MarkState
from tests.doubles.counted_events import InMemoryCountedEvents
from tests.doubles.feature_sink import InMemoryFeatureSink
from tests.doubles.feed_memory import NoFeedMemory
from tests.doubles.module_time import patch_time
from tests.doubles.object_store import InMemoryObjectStore
from tests.metric_values import metric

NEVER = {"half_life_seconds": "inf"}
LIKES = ("likes_24h", {"counts": "like=1"} | NEVER)
VIEWS = [
    counter_view("post_engagement", ["post_id"], [LIKES]),
    counter_view("creator_engagement", ["creator_id"], [("events_total", {"counts": "any=1"} | NEVER)]),
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
    """A memory that may be lost."""

    def __init__(self) -> None:
        super().__init__()
        self.lost = False

    def add_pending(
        self, events: EventIds, rows: Sequence[CounterRows], states: Credits, partials: Sequence[Partial] = ()
    ) -> None:
        self._check()
        super().add_pending(events, rows, states, partials)

    def pending(self) -> list[PendingBatch]:
        self._check()
        return super().pending()

    def clear_pending(self) -> None:
        self._check()
        super().clear_pending()

    def _check(self) -> None:
        if self.lost:
            raise EmptiedError


class EmptiedWhilePushing(Emptied):
    """A memory that is lost while rows are on their way into history."""

    def clear_pending(self) -> None:
        self.lost = True
        super().clear_pending()


@dataclass
class LosableMarks:
    """Marks of one server, which a test may take away."""

    state: MarkState = field(default_factory=lambda: MarkState(frozenset({"of the same process"}), 0))

    def look(self) -> MarkState:
        return self.state

    def raise_to(self, number: int, *, known: int) -> MarkState:
        before = self.state
        if known <= before.lowest < number:
            self.state = MarkState(before.servers, number)
        return before


def _batch(count: int) -> Envelope:
    events = [
        EngagementEvent(f"event-{n}", Action.LIKE, 1 + n, 9, START + timedelta(seconds=n), post_id=5, topic_id=7)
        for n in range(count)
    ]
    return engagement_envelope(1, events)


def _journal() -> StoredPushJournal:
    return StoredPushJournal(InMemoryObjectStore(), "lake")


def _pipeline(counted: InMemoryCountedEvents, sink: InMemoryFeatureSink) -> EngagementPipeline:
    return EngagementPipeline(VIEWS, counted, sink, NoFeedMemory(), _journal())


def _metrics() -> dict[str, float]:
    """Events by outcome, and repairs by their way."""
    labels = {
        "photofeed_engagement_events_total": ("outcome", ("counted", "duplicate")),
        "photofeed_redis_repairs_total": ("way", ("repeated", "rebuilt")),
    }
    return {
        value: REGISTRY.get_sample_value(name, {label: value}) or 0.0
        for name, (label, values) in labels.items()
        for value in values
    }


def _totals(sink: InMemoryFeatureSink) -> tuple[float, float]:
    return sink.online["post_engagement", (5,)][1][0], sink.online["creator_engagement", (9,)][1][0]


@pytest.mark.parametrize("after_push", [False, True])
def test_a_kill_around_the_push_loses_and_repeats_no_event(after_push: bool) -> None:
    counted, sink = InMemoryCountedEvents(), DyingSink(after_push=after_push)
    with pytest.raises(Killed):
        _pipeline(counted, sink).handle([_batch(3)])
    _pipeline(counted, sink).handle([_batch(3)])
    assert _totals(sink) == (3, 3)


def test_rows_in_history_are_done_even_if_redis_is_lost_before_pending_is_cleared() -> None:
    sink = InMemoryFeatureSink()
    pipeline = _pipeline(EmptiedWhilePushing(), sink)
    pipeline.handle([_batch(3)])  # the worker commits
    assert pipeline.is_flushed
    history = list(sink.history)
    assert {each.view for each in history} == {view.name for view in VIEWS}
    with pytest.raises(EmptiedError):
        pipeline.handle([_batch(4)])
    assert sink.history == history


def test_an_interrupted_push_is_finished_once_and_committed_rows_are_kept() -> None:
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


def test_nothing_is_flushed_if_redis_is_lost_while_history_is_unavailable() -> None:
    class Away(InMemoryFeatureSink):
        def push_offline(self, rows: Sequence[CounterRows]) -> None:
            raise RetryableError(f"{len(rows)} rows have nowhere to go")

    counted, back = Emptied(), InMemoryFeatureSink()
    pipeline = _pipeline(counted, Away())
    with pytest.raises(RetryableError, match="nowhere"):
        pipeline.handle([_batch(3)])
    counted.lost = True
    with pytest.raises(RetryableError, match="nowhere"):
        pipeline.handle([_batch(3)])
    with pytest.raises(RetryableError, match="nowhere"):
        pipeline.flush()
    assert not pipeline.is_flushed
    pipeline.sink = back
    with pytest.raises(EmptiedError):
        pipeline.flush()
    assert {each.view for each in back.history} == {view.name for view in VIEWS}


def _until_emptied(work: Callable[[], None]) -> None:
    """As the loop of the worker, which tries again after other errors that may pass."""
    while True:
        try:
            work()
        except EmptiedError:
            return
        except RetryableError:
            continue
        pytest.fail("counted on without counters")


@pytest.mark.parametrize("run_id", ["of the same process", "of another process"])
@pytest.mark.parametrize("work", ["handle", "flush"])
def test_what_was_counted_before_redis_was_emptied_is_kept_in_the_journal_and_in_history(
    work: str, run_id: str
) -> None:
    """The marks are lost with the counters. Nothing is lost or counts twice, however the worker notices."""
    counted, sink, marks = Emptied(), InMemoryFeatureSink(), LosableMarks()
    pipeline = EngagementPipeline(VIEWS, counted, sink, NoFeedMemory(), _journal(), marks=marks)
    pipeline.handle([_batch(2)])
    pipeline.flush_seconds = 3600
    pipeline.handle([_batch(3)])
    assert marks.state.lowest == 1
    counted.lost, marks.state = True, MarkState(frozenset({run_id}), 0)
    _until_emptied(pipeline.flush if work == "flush" else lambda: pipeline.handle([_batch(4)]))
    assert pipeline.is_flushed
    assert {each.view for each in sink.history} == {view.name for view in VIEWS}
    after = EngagementPipeline(VIEWS, InMemoryCountedEvents(), sink, NoFeedMemory(), pipeline.journal)
    assert after.finish_push() == 3
    after.handle([_batch(4)])  # the messages come again
    assert _totals(sink) == (4, 4)


def test_a_push_during_which_another_process_of_redis_took_over_is_repeated() -> None:
    marks = LosableMarks()

    class Sink(InMemoryFeatureSink):
        def push_offline(self, rows: Sequence[CounterRows]) -> None:
            super().push_offline(rows)
            marks.state = MarkState(frozenset({"of another process"}), marks.state.lowest)

    counted, sink = InMemoryCountedEvents(), Sink()
    pipeline = EngagementPipeline(VIEWS, counted, sink, NoFeedMemory(), _journal(), marks=marks)
    before = _metrics()
    with pytest.raises(RolledBackError):
        pipeline.handle([_batch(2)])
    pipeline.handle([_batch(3)])
    assert pipeline.is_flushed
    grown = {name: value - before[name] for name, value in _metrics().items()}
    assert grown == {"counted": 3, "duplicate": 2, "repeated": 1, "rebuilt": 0}
    assert _totals(sink) == (3, 3)


def test_pushes_before_the_last_whose_messages_were_not_committed_do_not_count_again() -> None:
    sink, journal = InMemoryFeatureSink(), _journal()
    pipeline = EngagementPipeline(VIEWS, InMemoryCountedEvents(), sink, NoFeedMemory(), journal)
    for count in (2, 3, 5):
        pipeline.handle([_batch(count)])
    after = EngagementPipeline(VIEWS, InMemoryCountedEvents(), sink, NoFeedMemory(), journal)  # Redis was emptied
    assert after.finish_push() == 5
    after.handle([_batch(6)])
    assert _totals(sink) == (6, 6)


def test_pending_rows_of_a_changed_view_are_dropped_and_the_others_pushed() -> None:
    counted = InMemoryCountedEvents()
    with pytest.raises(Killed):
        _pipeline(counted, DyingSink(after_push=False)).handle([_batch(3)])
    changed = counter_view("post_engagement", ["post_id"], [("likes_7d", {"counts": "like=1"} | NEVER), LIKES])
    sink = InMemoryFeatureSink()
    EngagementPipeline([changed, VIEWS[1]], counted, sink, NoFeedMemory(), _journal()).handle([_batch(4)])
    assert _totals(sink) == (1, 4)


def test_partial_sums_that_wait_since_features_were_counted_in_two_stages_stop_nothing() -> None:
    counted, sink = InMemoryCountedEvents(), InMemoryFeatureSink()
    with pytest.raises(Killed):
        _pipeline(counted, DyingSink(after_push=False)).handle([_batch(3)])
    counted._pending[0] = replace(counted._pending[0], partials=[("0", b"{}")])
    _pipeline(counted, sink).handle([_batch(4)])
    assert _totals(sink) == (4, 4)
    assert counted.pending() == []


def test_repeated_messages_change_nothing() -> None:
    counted, sink = InMemoryCountedEvents(), InMemoryFeatureSink()
    pipeline = _pipeline(counted, sink)
    for batch in ([_batch(2)], [_batch(2), _batch(4)], [_batch(4)]):
        pipeline.handle(batch)
    assert _totals(sink) == (4, 4)


def test_events_stay_uncounted_while_the_store_is_unavailable() -> None:
    class Away(InMemoryFeatureSink):
        def read(self, delta: CounterDelta) -> CounterState:
            raise RetryableError(f"away: {delta.view.name}")

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


def test_an_invalid_event_is_poison() -> None:
    with pytest.raises(PoisonError):
        _pipeline(InMemoryCountedEvents(), InMemoryFeatureSink()).handle(
            [Envelope("engagement", "1", {"events": [{}]})]
        )


def test_freshness_is_the_age_of_the_oldest_live_event_when_it_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    patch_time(monkeypatch, module, time=lambda: START.timestamp() + 100)
    moments = [(20, False), (30, False), (90, False), (5, True)]
    events = [
        EngagementEvent(
            f"event-{after}", Action.LIKE, 1, 9, START + timedelta(seconds=after), post_id=5, topic_id=7, imported=old
        )
        for after, old in moments
    ]
    pipeline = _pipeline(InMemoryCountedEvents(), InMemoryFeatureSink())
    before = _freshness()
    pipeline.handle([engagement_envelope(1, events)])
    assert np.subtract(_freshness(), before).tolist() == [1, pytest.approx(80)]
    pipeline.handle([engagement_envelope(1, events)])  # all of them are known
    pipeline.handle([engagement_envelope(1, [replace(events[-1], id="another")])])
    assert np.subtract(_freshness(), before).tolist() == [1, pytest.approx(80)]


def _freshness() -> tuple[float, float]:
    """How often it was measured, and the sum in seconds."""
    name = "photofeed_engagement_freshness_seconds"
    return metric(f"{name}_count"), metric(f"{name}_sum")


def test_the_freshness_of_a_worker_that_stood_still_is_told_from_that_of_a_slow_one() -> None:
    limit_of_the_alert, an_hour = 5.0, 3_600.0
    bounds = FRESHNESS._upper_bounds
    assert limit_of_the_alert in bounds
    assert an_hour < bounds[-2] < float("inf")
