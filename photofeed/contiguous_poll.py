"""Polls a kafka-python consumer without skipping offsets that the broker does not show yet.

A Kafka consumer continues behind the last record that it received. If a broker returns a later batch before an earlier
one, the earlier messages are skipped and their offsets committed. Three messages were once missing in the lake: they
were in the log, and the archive had committed behind them. That the broker caused it is inferred, not reproduced. What
was seen: the embedded broker takes an offset before it writes the batch. When it was killed in between, that offset
stayed empty for ever (7 times in 15 minutes of kills), so a later batch can be there before an earlier one.

Topics here are neither compacted nor transactional, so only retention and such kills make gaps in their offsets.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog

log = structlog.get_logger(__name__)

GAP_SECONDS = 10.0  # how long to wait for missing offsets before they are taken for deleted


class ContiguousPoll:
    """Returns the records of a consumer up to the first missing offset, and reads on from there."""

    def __init__(self, consumer: Any, first: Callable[[Any], int], clock: Callable[[], float] = time.monotonic) -> None:
        """Poll this consumer.

        Args:
            consumer: of kafka-python.
            first: the first offset to read of a partition that was assigned; it may raise a KafkaError.
            clock: seconds that only grow.
        """
        self._consumer = consumer
        self._first = first
        self._clock = clock
        self._expected: dict[Any, int] = {}
        self._gap_since: dict[Any, float] = {}

    def forget(self) -> None:
        """Forget all positions: after a rebalance they are those of the group."""
        self._expected.clear()
        self._gap_since.clear()

    def poll(self, **options: Any) -> Mapping[Any, Sequence[Any]]:
        """As the consumer's `poll`: partition -> records, here without gaps between them.

        Raises:
            KafkaError: the first offset of a partition is unknown; the records will be polled again.
        """
        batches = self._consumer.poll(**options)
        try:
            for partition in batches.keys() - self._expected.keys():
                self._expected[partition] = self._first(partition)
        except Exception:
            for partition, records in batches.items():
                self._consumer.seek(partition, records[0].offset)
            raise
        found = {partition: self._contiguous(partition, records) for partition, records in batches.items()}
        return {partition: records for partition, records in found.items() if records}

    def _contiguous(self, partition: Any, records: Sequence[Any]) -> Sequence[Any]:
        expected = self._expected[partition]
        for index, record in enumerate(records):
            if record.offset != expected and self._waits(partition, expected, record.offset):
                self._consumer.seek(partition, expected)
                records = records[:index]
                break
            self._gap_since.pop(partition, None)
            expected = record.offset + 1
        self._expected[partition] = expected
        return records

    def _waits(self, partition: Any, expected: int, offset: int) -> bool:
        """Whether to read the partition again from `expected`; False if the offsets before `offset` are gone."""
        if offset < expected:  # the position was moved back
            return False
        since = self._gap_since.setdefault(partition, self._clock())
        if self._clock() - since < GAP_SECONDS:
            return True
        log.error("the log has no such messages", partition=str(partition), first=expected, last=offset - 1)
        return False
