"""What a group's lag is measured from."""

from collections.abc import Iterator
from typing import Any

import pytest
from kafka import TopicPartition

from photofeed.event_log import KafkaGroupOffsets
from photofeed.settings import Settings
from photofeed.topics import Topic

TOPIC = Topic("offsets", key="id", partitions=1)


class Broker:
    """Answers of a consumer that is connected to a broker."""

    def __init__(self, ends: Iterator[int]) -> None:
        self._ends = ends

    def partitions_for_topic(self, _: str) -> set[int]:
        return {0}

    def end_offsets(self, partitions: list[TopicPartition], **_: Any) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, next(self._ends))

    def committed(self, _: TopicPartition, **__: Any) -> int:
        return 3

    def close(self, **_: Any) -> None:
        pass


def test_an_end_that_goes_back_counts_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lower one may pass; one that stays is of a log that was cut, and nobody would ever reach the former end."""
    broker = Broker(iter([7, 4, 9, 5, 5]))
    monkeypatch.setattr("kafka.KafkaConsumer", lambda **_: broker)
    offsets = KafkaGroupOffsets(Settings(), "group", [TOPIC])
    assert [offsets.read() for _ in range(5)] == [{(TOPIC.name, 0): (3, end)} for end in (7, 7, 9, 9, 5)]
    offsets.close()
