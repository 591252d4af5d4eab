"""What was counted, remembered again from the event log after Redis was lost."""

from contextlib import suppress

from ingestion.engagement.counted_events import CountedEvents
from photofeed.errors import PoisonError
from photofeed.event_log import EventReader
from photofeed.events import Envelope, engagement_payloads
from photofeed.features.event_columns import EventColumns
from photofeed.topics import ENGAGEMENT, FEATURES_GROUP


def remember_committed(log: EventReader, counted: CountedEvents) -> int:
    """Remember the events of all messages that the features worker has committed; returns how many these are.

    It commits messages once history has their rows, so they are just what a rebuild restores: clients that send one of
    them again are not counted again. The log keeps messages for less time than ids are remembered.

    Raises:
        RetryableError: the event log does not answer.
    """
    offsets, remembered = log.committed(FEATURES_GROUP, ENGAGEMENT.name), 0
    for message in log.read(ENGAGEMENT.name) if offsets else ():
        if message.offset < offsets.get((message.topic, message.partition), 0):
            with suppress(PoisonError):  # a dead letter, which was not counted
                events = EventColumns.from_payloads(engagement_payloads(Envelope.decode(message.value)))
                counted.remember(events)
                remembered += len(events)
    return remembered
