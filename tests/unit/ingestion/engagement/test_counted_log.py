"""The counted part of the engagement log: events that the worker has still to count are left out."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from ingestion.archive import Archive
from ingestion.engagement.counted_log import counted_log
from photofeed.errors import ConflictError
from photofeed.events import Action, EngagementEvent, Envelope, engagement_envelope
from photofeed.features.event_columns import EventColumns
from photofeed.offline_store.lake import Lake, LakeFolder
from photofeed.offline_store.tables import ENGAGEMENT
from tests.doubles.counted_events import InMemoryCountedEvents
from tests.doubles.object_store import InMemoryObjectStore

NOW = datetime.now(UTC)
BUCKET = "lake"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(InMemoryObjectStore(), tmp_path / "mirror")


def _opened(name: str, days_ago: int) -> EngagementEvent:
    return EngagementEvent(name, Action.OPEN, 1, 2, NOW - timedelta(days=days_ago), post_id=3)


def _envelope(event: EngagementEvent) -> Envelope:
    return engagement_envelope(1, [event])


def _columns(*events: EngagementEvent) -> EventColumns:
    return EventColumns.from_payloads([event.to_payload() for event in events])


def _names(lake: Lake, counted: InMemoryCountedEvents) -> set[str]:
    return {name for events in counted_log(lake, BUCKET, counted) for name in events.id.tolist()}


@pytest.mark.parametrize("days_ago", [0, 1, 30])
def test_events_not_counted_yet_are_left_out_on_a_day_without_counted_events(lake: Lake, days_ago: int) -> None:
    counted, archive = InMemoryCountedEvents(), Archive(lake, BUCKET)
    seen, waiting = _opened("seen", days_ago=1), _opened("waiting", days_ago)
    archive.handle([_envelope(seen), _envelope(waiting)])
    counted.remember(_columns(seen))
    assert _names(lake, counted) == {"seen"}
    counted.remember(_columns(waiting))
    assert _names(lake, counted) == {"seen", "waiting"}


def test_events_with_expired_ids_count_as_counted_next_to_a_remembered_late_event(lake: Lake) -> None:
    counted, archive = InMemoryCountedEvents(), Archive(lake, BUCKET)
    archive.handle([_envelope(_opened("forgotten", days_ago=30))])
    _archived_long_ago(lake)
    late = _opened("late", days_ago=30)
    archive.handle([_envelope(late)])
    counted.remember(_columns(late))
    assert _names(lake, counted) == {"forgotten", "late"}


def test_counted_events_missing_from_the_lake_are_an_error(lake: Lake) -> None:
    counted = InMemoryCountedEvents()
    counted.remember(_columns(_opened("seen", days_ago=1)))
    with pytest.raises(ConflictError, match="1 counted events are not in the lake yet"):
        _names(lake, counted)


def _archived_long_ago(lake: Lake) -> None:
    """As by a release that did not note when."""
    folder = LakeFolder(BUCKET, ENGAGEMENT)
    for file in lake.mirror(folder):
        rows = pq.read_table(file).drop_columns("archived_at")
        lake.objects.delete(BUCKET, folder.key(str(file.relative_to(lake.local(folder, "")))))
        lake.append(folder, rows, "occurred_at")
