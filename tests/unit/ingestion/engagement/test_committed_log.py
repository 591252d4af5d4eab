"""After Redis lost its data, an event that history has is not counted again when a client repeats it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from ingestion.archive import Archive
from ingestion.engagement.committed_log import remember_committed, remember_credits
from ingestion.engagement.credits import credits_of
from photofeed.events import Action, EngagementEvent, Envelope, engagement_envelope
from photofeed.features.event_columns import EventColumns
from photofeed.offline_store.lake import Lake
from photofeed.topics import ENGAGEMENT, FEATURES_GROUP
from tests.doubles.counted_events import InMemoryCountedEvents
from tests.doubles.event_log import InMemoryEventLog
from tests.doubles.object_store import InMemoryObjectStore

NOW = datetime.now(UTC)


def _event(name: str) -> EngagementEvent:
    return EngagementEvent(name, Action.OPEN, 1, 2, NOW)


def test_only_events_of_committed_messages_are_marked_as_counted() -> None:
    log, counted = InMemoryEventLog(partitions=1), InMemoryCountedEvents()
    log.publish(ENGAGEMENT.name, [engagement_envelope(1, [_event("a"), _event("b")])])
    log.publish(ENGAGEMENT.name, [Envelope("engagement", "1", {"events": [{}]})])  # a dead letter by now
    log.publish(ENGAGEMENT.name, [engagement_envelope(1, [_event("c")]), engagement_envelope(1, [_event("d")])])
    worker = log.consumer(FEATURES_GROUP, [ENGAGEMENT])
    worker.poll(3, 0)
    worker.commit()
    assert remember_committed(log, counted) == 3
    events = EventColumns.from_payloads([_event(name).to_payload() for name in "abcd"])
    assert counted.uncounted(events).id.tolist() == ["d"]


def test_nothing_is_marked_as_counted_without_a_commit() -> None:
    log = InMemoryEventLog()
    log.publish(ENGAGEMENT.name, [engagement_envelope(1, [_event("a")])])
    assert remember_committed(log, InMemoryCountedEvents()) == 0


def test_credits_are_those_of_events_that_the_event_log_has_no_longer(tmp_path: Path) -> None:
    lake, like = Lake(InMemoryObjectStore(), tmp_path), EngagementEvent("a", Action.LIKE, 1, 2, NOW, post_id=3)
    Archive(lake, "lake").handle([engagement_envelope(1, [like])])
    slots = credits_of(EventColumns.from_payloads([like.to_payload()])).slots
    # until then the worker may still have to count it; it was archived just now, which is long after NOW in a long run
    for now, remembered in ((NOW, 0), (NOW + ENGAGEMENT.retention + timedelta(days=1), 1)):
        counted = InMemoryCountedEvents()
        assert remember_credits(lake, "lake", counted, now) == remembered
        assert counted.credits(slots).counts.tolist() == [bool(remembered)]
