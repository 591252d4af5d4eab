"""After Redis was lost, an event that history has is not counted when a client sends it again."""

from datetime import UTC, datetime

from ingestion.engagement.committed_log import remember_committed
from ingestion.engagement.counted_events import InMemoryCountedEvents
from photofeed.event_log import InMemoryEventLog
from photofeed.events import Action, EngagementEvent, Envelope, engagement_envelope
from photofeed.features.event_columns import EventColumns
from photofeed.topics import ENGAGEMENT, FEATURES_GROUP

NOW = datetime.now(UTC)


def _event(name: str) -> EngagementEvent:
    return EngagementEvent(name, Action.OPEN, 1, 2, NOW)


def test_what_was_committed_is_remembered_and_what_was_not_is_still_to_be_counted() -> None:
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


def test_where_nothing_was_committed_nothing_was_counted() -> None:
    log = InMemoryEventLog()
    log.publish(ENGAGEMENT.name, [engagement_envelope(1, [_event("a")])])
    assert remember_committed(log, InMemoryCountedEvents()) == 0
