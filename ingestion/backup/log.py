"""The event log: every message of before the snapshot that the broker still has, and the offsets of the groups.

All of it, not only what no group has read: `photofeed features rebuild` reads again which events were counted, and
dead letters wait for an operator. A new log numbers its messages from zero, so offsets are translated.
"""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, TypeAlias

from kafka import KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.errors import KafkaError

from ingestion.backup.archive import Archive, NewArchive
from photofeed.errors import ConflictError, InvalidError, UnavailableError
from photofeed.event_log import EventReader, Message, Offsets
from photofeed.kafka_client import GROUP_HEADER, connection_options
from photofeed.settings import Settings
from photofeed.topics import SUBSCRIPTIONS, all_topics

GroupOffsets: TypeAlias = dict[str, dict[str, dict[str, int]]]
"""group -> topic -> partition -> offset of the next message to read. Partitions are text, as in JSON."""

_AT_ONCE = 2_000


def committed(reader: EventReader) -> GroupOffsets:
    """How far each group has read its topics.

    Raises:
        UnavailableError: the log does not answer.
    """
    return {
        group: {
            topic.name: {str(number): offset for (_, number), offset in reader.committed(group, topic.name).items()}
            for topic in topics
        }
        for group, topics in SUBSCRIPTIONS.items()
    }


def ends(reader: EventReader) -> Offsets:
    """Where every partition ends.

    Raises:
        UnavailableError: the log does not answer.
    """
    return reader.ends([topic.name for topic in all_topics()])


def copy_messages(reader: EventReader, archive: NewArchive, until: Offsets) -> dict[str, int]:
    """Write all messages before these ends to the archive, a file per topic; returns how many there are by topic.

    Raises:
        UnavailableError: the log does not answer.
    """
    counts = {}
    for topic in all_topics():
        count = 0
        with archive.write(_file(topic.name)) as file:
            for message in reader.read(topic.name):
                if message.offset >= until.get((message.topic, message.partition), 0):
                    continue
                file.write(json.dumps(_line(message)).encode() + b"\n")
                count += 1
        counts[topic.name] = count
    return counts


def require_empty(reader: EventReader) -> None:
    """Refuse a log that has messages.

    Raises:
        ConflictError: it has.
        UnavailableError: it does not answer.
    """
    for topic in all_topics():
        if next(iter(reader.read(topic.name)), None) is not None:
            raise ConflictError(
                f"the topic {topic.name} has messages: restore into an empty cluster, or delete photofeed's topics",
                code="not_empty",
            )


def publish_again(settings: Settings, archive: Archive) -> GroupOffsets:
    """Publish the messages of a backup, each to its partition; returns where each group has to go on.

    Raises:
        InvalidError: a topic has fewer partitions than it had.
        UnavailableError: the log does not take all messages.
    """
    try:
        producer: Any = KafkaProducer(
            **connection_options(settings),
            acks="all",
            enable_idempotence=False,
            max_in_flight_requests_per_connection=1,
        )
        with closing(producer):
            return publish_with(producer, archive)
    except KafkaError as error:
        raise UnavailableError(f"the event log does not take the messages of the backup: {error}") from error


def publish_with(producer: Any, archive: Archive) -> GroupOffsets:
    """`publish_again` with a producer of kafka-python. Groups that had read nothing begin at the first message."""
    former = archive.manifest.offsets
    found: GroupOffsets = {group: {} for group in former}
    for topic in all_topics():
        readers = {group: topics[topic.name] for group, topics in former.items() if topics.get(topic.name)}
        for partition, old, new in _publish_topic(producer, archive, topic.name):
            for group, positions in readers.items():
                if old < positions.get(str(partition), 0):
                    found[group].setdefault(topic.name, {})[str(partition)] = new + 1
    return found


def set_offsets(settings: Settings, offsets: GroupOffsets) -> None:
    """Let groups go on at these offsets.

    Raises:
        ConflictError: the log refuses, as it does while a worker runs.
    """
    for group, topics in offsets.items():
        positions = {
            TopicPartition(topic, int(number)): OffsetAndMetadata(offset, "", -1)
            for topic, numbers in topics.items()
            for number, offset in numbers.items()
        }
        if not positions:
            continue
        try:
            consumer: Any = KafkaConsumer(**connection_options(settings), group_id=group, enable_auto_commit=False)
            with closing(consumer):
                consumer.assign(list(positions))
                consumer.commit(positions)
        except KafkaError as error:
            raise ConflictError(f"the offsets of {group} cannot be set ({error}): stop its workers") from error


Sent: TypeAlias = Iterator[tuple[int, int, int]]
"""(partition, former offset, new offset) of each message, in order per partition."""


def _publish_topic(producer: Any, archive: Archive, topic: str) -> Sent:
    known = producer.partitions_for(topic) or set()
    waiting: list[Mapping[str, Any]] = []
    for line in archive.lines(_file(topic)):
        if line["partition"] not in known:
            raise InvalidError(f"the topic {topic} has {len(known)} partitions and needs {line['partition'] + 1}")
        waiting.append(line)
        if len(waiting) == _AT_ONCE:
            yield from _send(producer, topic, waiting)
            waiting = []
    yield from _send(producer, topic, waiting)


def _send(producer: Any, topic: str, lines: Sequence[Mapping[str, Any]]) -> Sent:
    sent = [
        producer.send(
            topic,
            key=line["key"].encode(),
            value=base64.b64decode(line["value"]),
            headers=[] if line["group"] is None else [(GROUP_HEADER, line["group"].encode())],
            partition=line["partition"],
            timestamp_ms=line["milliseconds"],  # so that the broker forgets them when it would have
        )
        for line in lines
    ]
    producer.flush()
    for line, future in zip(lines, sent, strict=True):
        yield line["partition"], line["offset"], future.get().offset


def _line(message: Message) -> dict[str, Any]:
    return {
        "partition": message.partition,
        "offset": message.offset,
        "milliseconds": message.milliseconds,
        "key": message.key,
        "value": base64.b64encode(message.value).decode(),
        "group": message.group,
    }


def _file(topic: str) -> str:
    return f"log/{topic}.jsonl.gz"
