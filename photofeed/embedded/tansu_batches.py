"""The batches of Tansu's log: small ones are merged, so that a log that grows stays fast.

Tansu keeps each batch that a producer sent as an object of its own, lists all objects of a partition for each fetch,
and replies with the first batch that it finds. A log of single messages is read a message at a time, slower with every
message in it: a consumer that was 6,000 messages behind took two of them a second. A merged batch has the same messages
at the same offsets. It replaces the first of its batches; the others are deleted after that. If that is interrupted,
messages are there twice, and the next round deletes what is left.

Tansu takes the object that was changed first for the beginning of a partition, and the one that was changed last for
its end. So the first batch is never replaced, and the last one is written again after others were.
"""

import re
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from kafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

from photofeed.embedded.tansu_log import BUCKET, TOPICS

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LEAST_BATCHES = 64
MOST_BYTES = 256 * 1024  # a consumer fetches a megabyte of a partition
LONGEST_MS = 3_600_000  # from the first to the last message: the log is deleted by the age of objects
_MAGIC = 2
_HEADER_BYTES = 61
_COMPRESSION = 0x07  # of a batch's attributes; others are of transactions, and of times that the broker sets
_TICK_SECONDS = 1.1  # the object storage says in seconds when an object was changed
_UNLIMITED = 2**31 - 1  # of a builder, which leaves out what is beyond; MOST_BYTES is the limit here
_THREADS = 8
_KEY = re.compile(r"(?P<partition>.+/records/)(?P<first>\d{20})\.batch")


class Stored(NamedTuple):
    """A batch in object storage: its key, the offset of its first message, its size in bytes, and when it changed."""

    key: str
    first: int
    size: int
    changed: datetime


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch that was read, and the offset behind its last message."""

    stored: Stored
    records: DefaultRecordBatch
    end: int

    @property
    def is_plain(self) -> bool:
        """Whether it has nothing but messages that are whole."""
        records = self.records
        return records.magic == _MAGIC and not records.attributes & ~_COMPRESSION and records.validate_crc()

    def continues(self, other: "Batch") -> bool:
        """Whether this batch begins where the other one ends, and both can be one batch."""
        alike = self.records.compression_type == other.records.compression_type
        return self.stored.first == other.end and alike and self.is_plain and other.is_plain

    def is_within(self, other: "Batch") -> bool:
        """Whether the other one is whole and has all messages of this one."""
        return other.stored.first < self.stored.first < self.end <= other.end and other.is_plain


class BatchMerger:
    """Merges the small batches of all partitions, again and again; nobody else may.

    Brokers and clients go on meanwhile. A fetch that finds a batch deleted fails, and is repeated by its client.
    """

    def __init__(self, client: "S3Client", least: int = LEAST_BATCHES) -> None:
        """Merge batches as soon as at least so many can be merged."""
        self._client = client
        self._least = least
        self._apart: set[str] = set()  # keys of batches that do not continue the one before them

    def merge(self) -> int:
        """Merge what can be merged; returns how many batches that has made less.

        Raises:
            BotoCoreError, ClientError: the object storage does not answer.
        """
        partitions = self._partitions(TOPICS)
        self._apart &= {batch.key for batches in partitions.values() for batch in batches}
        fewer: dict[str, int] = {}
        with ThreadPoolExecutor(_THREADS) as pool:
            for partition, batches in partitions.items():
                for row in self._candidates(batches[1:]):
                    fewer[partition] = fewer.get(partition, 0) + self._merge(list(pool.map(self._read, row)))
        if changed := [partition for partition, count in fewer.items() if count]:
            time.sleep(_TICK_SECONDS)
            for partition in changed:
                self._renew_last(partition)
        return sum(fewer.values())

    def _renew_last(self, partition: str) -> None:
        """Write the last batch again, unless it was changed after all others."""
        (batches,) = self._partitions(partition).values()
        *others, last = batches
        if any(other.changed >= last.changed for other in others):
            body = self._client.get_object(Bucket=BUCKET, Key=last.key)["Body"].read()
            self._client.put_object(Bucket=BUCKET, Key=last.key, Body=body)

    def _partitions(self, prefix: str) -> dict[str, list[Stored]]:
        found: dict[str, list[Stored]] = {}
        for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix):
            for each in page.get("Contents", ()):
                if each["Size"] >= _HEADER_BYTES and (key := _KEY.fullmatch(each["Key"])):
                    batches = found.setdefault(key["partition"], [])
                    batches.append(Stored(each["Key"], int(key["first"]), each["Size"], each["LastModified"]))
        return {partition: sorted(batches, key=lambda batch: batch.first) for partition, batches in found.items()}

    def _candidates(self, batches: Sequence[Stored]) -> Iterator[list[Stored]]:
        """Batches in a row that may become one, as far as is known without reading them."""
        row: list[Stored] = []
        size = 0
        for batch in batches:
            if row and (batch.key in self._apart or size + batch.size > MOST_BYTES):
                if len(row) >= self._least:
                    yield row
                row, size = [], 0
            row.append(batch)
            size += batch.size
        if len(row) >= self._least:
            yield row

    def _read(self, stored: Stored) -> Batch:
        body = self._client.get_object(Bucket=BUCKET, Key=stored.key)["Body"].read()
        records = DefaultRecordBatch(bytearray(body))
        return Batch(stored, records, stored.first + records.last_offset_delta + 1)

    def _merge(self, batches: Sequence[Batch]) -> int:
        merged = 0
        row: list[Batch] = []
        left: list[str] = []  # by a round that was interrupted
        for batch in batches:
            if row and batch.is_within(row[-1]):
                left.append(batch.stored.key)
                continue
            if row and not self._may_follow(row, batch):
                self._apart.add(batch.stored.key)
                merged += self._replace(row)
                row = []
            row.append(batch)
        self._delete(left)
        return merged + len(left) + self._replace(row)

    @staticmethod
    def _may_follow(row: Sequence[Batch], batch: Batch) -> bool:
        long = batch.records.max_timestamp - row[0].records.first_timestamp
        return batch.continues(row[-1]) and long <= LONGEST_MS

    def _replace(self, row: Sequence[Batch]) -> int:
        if len(row) < self._least:
            return 0
        key = row[0].stored.key
        self._client.put_object(Bucket=BUCKET, Key=key, Body=merged_batch(row))
        self._delete([batch.stored.key for batch in row[1:]])
        return len(row) - 1

    def _delete(self, keys: Sequence[str]) -> None:
        for key in keys:
            self._client.delete_object(Bucket=BUCKET, Key=key)


def merged_batch(row: Sequence[Batch]) -> bytes:
    """One batch with the messages of batches that continue each other, at their offsets."""
    first = row[0]
    builder = DefaultRecordBatchBuilder(
        magic=_MAGIC,
        compression_type=first.records.compression_type,
        is_transactional=False,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        batch_size=_UNLIMITED,
    )
    for batch in row:
        shift = batch.stored.first - first.stored.first - batch.records.base_offset
        for record in batch.records:
            builder.append(record.offset + shift, record.timestamp, record.key, record.value, record.headers)
    return bytes(builder.build())
