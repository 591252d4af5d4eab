"""Recovery after Redis lost its data: marks events as counted from the event log."""

from contextlib import suppress
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from ingestion.engagement.counted_events import CREDITED_FOR, CountedEvents, MessageIds
from ingestion.engagement.counted_log import IMPORTED, read_log
from ingestion.engagement.credits import credits_of
from photofeed.errors import PoisonError
from photofeed.event_log import EventReader
from photofeed.events import Envelope, engagement_payloads
from photofeed.features.event_columns import EventColumns
from photofeed.offline_store.lake import Lake
from photofeed.partitioning import partition_of
from photofeed.topics import ENGAGEMENT, ENGAGEMENT_PARTIAL, FEATURES_GROUP


def remember_committed(log: EventReader, counted: CountedEvents, partition: int | None = None) -> int:
    """Mark the events of all messages that the features worker has committed as counted; returns their number.

    The worker commits messages once history has their rows, so these are the events whose counters a rebuild restores.
    If a client sends one of them again, it is not counted twice. The log keeps messages for less time than ids are
    remembered. With `partition`, only its messages, and partial sums that were sent to it.

    Raises:
        RetryableError: the event log does not answer.
    """
    offsets, remembered = log.committed(FEATURES_GROUP, ENGAGEMENT.name), 0
    for message in log.read(ENGAGEMENT.name) if offsets else ():
        if partition not in (None, message.partition):
            continue
        if message.offset < offsets.get((message.topic, message.partition), 0):
            with suppress(PoisonError):  # became a dead letter and was not counted
                events = EventColumns.from_payloads(engagement_payloads(Envelope.decode(message.value)))
                counted.remember(events)
                counted.merge_credits(credits_of(events))
                remembered += len(events)
    if partition is not None:
        _remember_partials(log, counted, partition)
    return remembered


def _remember_partials(log: EventReader, counted: CountedEvents, partition: int) -> None:
    offsets = log.committed(FEATURES_GROUP, ENGAGEMENT_PARTIAL.name)
    committed = offsets.get((ENGAGEMENT_PARTIAL.name, partition), 0)
    for message in log.read(ENGAGEMENT_PARTIAL.name) if committed else ():
        if message.partition == partition and message.offset < committed:
            with suppress(PoisonError):
                counted.remember(MessageIds.of([Envelope.decode(message.value)]))


def remember_credits(
    lake: Lake, bucket: str, counted: CountedEvents, now: datetime, partition: int | None = None
) -> int:
    """Restore credits from events that are in the lake and no longer in the event log; returns how many events.

    Those events were counted: the event log keeps what has not been. Events of imports were never in it.

    Raises:
        RetryableError: object storage cannot be reached.
    """
    gone, since, remembered = now - ENGAGEMENT.retention, now - CREDITED_FOR, 0
    where = f"(archived_at < '{gone.isoformat()}' or {IMPORTED}) and occurred_at > '{since.isoformat()}'"
    for events in read_log(lake, bucket, where):
        own = events if partition is None else events.take(_of_partition(events, partition))
        counted.merge_credits(credits_of(own))
        remembered += len(own)
    return remembered


def _of_partition(events: EventColumns, partition: int) -> NDArray[np.bool_]:
    own = [partition_of(str(user), ENGAGEMENT.partitions) == partition for user in events.user_id.tolist()]
    return np.array(own, np.bool_)
