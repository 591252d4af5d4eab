"""Messages of a backup keep their partition, order and time, and groups go on behind what they had read."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ingestion.backup.archive import Archive, NewArchive
from ingestion.backup.log import committed, copy_messages, publish_with, require_empty
from photofeed.errors import ConflictError, InvalidError
from photofeed.event_log import Message
from photofeed.topics import ENGAGEMENT, FEATURES_GROUP
from tests.doubles.event_log import InMemoryEventLog


class _OldLog(InMemoryEventLog):
    """A log whose first messages have expired."""

    def read(self, topic: str) -> Any:
        """Messages of two partitions of engagement."""
        if topic == ENGAGEMENT.name:
            for partition, offsets in ((0, range(40, 44)), (1, range(7, 9))):
                for offset in offsets:
                    yield Message(topic, partition, offset, f"{offset}", b"\xff\x00", "features", 1_000 + offset)


class _Producer:
    """Takes messages as a broker does on which a topic had a message before."""

    def __init__(self, partitions: int) -> None:
        self.partitions = set(range(partitions))
        self.sent: dict[tuple[str, int], list[Mapping[str, Any]]] = {}

    def partitions_for(self, _: str) -> set[int]:
        return self.partitions

    def send(self, topic: str, **message: Any) -> Any:
        lane = self.sent.setdefault((topic, message["partition"]), [])
        lane.append(message)
        offset = len(lane)
        return SimpleNamespace(get=lambda: SimpleNamespace(offset=offset))

    def flush(self) -> None:
        """All are sent."""


def _backup(folder: Path, offsets: dict[str, int]) -> Archive:
    new = NewArchive.create(folder)
    counts = copy_messages(_OldLog(), new, {(ENGAGEMENT.name, 0): 44, (ENGAGEMENT.name, 1): 9})
    assert counts[ENGAGEMENT.name] == 6
    new.finish(("", ""), datetime.now(UTC), {}, {FEATURES_GROUP: {ENGAGEMENT.name: offsets}})
    return Archive.open(folder)


@pytest.mark.parametrize(
    ("former", "now"),
    [
        ({"0": 42, "1": 9}, {"0": 3, "1": 3}),  # two of four read, all read
        ({"0": 44}, {"0": 5}),  # nothing read of partition 1: it begins at the first message
        ({"0": 40, "1": 5}, {}),  # what was read has expired
    ],
)
def test_groups_go_on_where_they_were(tmp_path: Path, former: dict[str, int], now: dict[str, int]) -> None:
    assert publish_with(_Producer(4), _backup(tmp_path, former))[FEATURES_GROUP].get(ENGAGEMENT.name, {}) == now


def test_messages_of_after_the_snapshot_are_left_out(tmp_path: Path) -> None:
    new = NewArchive.create(tmp_path)
    # nothing of a partition whose end is not known: it was added since
    assert copy_messages(_OldLog(), new, {(ENGAGEMENT.name, 0): 42})[ENGAGEMENT.name] == 2
    # those of other partitions follow them
    ends = {(ENGAGEMENT.name, 0): 42, (ENGAGEMENT.name, 1): 8}
    assert copy_messages(_OldLog(), new, ends)[ENGAGEMENT.name] == 3


def test_messages_keep_partition_order_time_group_and_bytes(tmp_path: Path) -> None:
    producer = _Producer(4)
    publish_with(producer, _backup(tmp_path, {}))
    lane = producer.sent[ENGAGEMENT.name, 0]
    assert [message["key"] for message in lane] == [b"40", b"41", b"42", b"43"]
    assert lane[0]["timestamp_ms"] == 1_040
    assert lane[0]["value"] == b"\xff\x00"
    assert lane[0]["headers"] == [("photofeed-group", b"features")]


def test_a_topic_with_fewer_partitions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match="has 1 partitions and needs 2"):
        publish_with(_Producer(1), _backup(tmp_path, {}))


def test_a_log_with_messages_is_refused() -> None:
    require_empty(InMemoryEventLog())
    with pytest.raises(ConflictError, match="engagement has messages"):
        require_empty(_OldLog())


def test_offsets_are_those_of_every_group() -> None:
    log = InMemoryEventLog()
    log._committed[FEATURES_GROUP, ENGAGEMENT.name, 2] = 5
    assert committed(log)[FEATURES_GROUP][ENGAGEMENT.name] == {"2": 5}
