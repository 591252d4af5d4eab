"""The log that Tansu keeps in object storage: ends of partitions that no message reaches are taken back.

Tansu moves the end of a partition first, and writes the batch after that. If it is killed in between, the last offset
stays empty until the next message. Until then the partition has one message more than anybody can read: its readers
never reach the end, and its consumer groups are behind for ever. Nobody was told that such a message is in the log, so
its offset may be given to the next one.
"""

import json
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

log = structlog.get_logger(__name__)

BUCKET = "tansu"
_CLUSTER = "clusters/tansu_cluster/"
TOPICS, _GROUPS = f"{_CLUSTER}topics/", f"{_CLUSTER}groups/consumers/"
_THREADS = 8
_FIRST_LOOK = 64  # offsets before the end; twice as many if no batch begins there
# Of a Kafka record batch, format 2: the offset of its last record, relative to the first (int32, big endian).
_LAST_OFFSET = slice(23, 27)


def take_back_ends(client: "S3Client") -> None:
    """Move the end of each partition behind its last message. No broker may write meanwhile.

    Raises:
        BotoCoreError, ClientError: the object storage does not answer.
    """
    with ThreadPoolExecutor(_THREADS) as pool:
        topics = _folders(client, TOPICS)
        partitions = [one for found in pool.map(lambda topic: _partitions(client, topic), topics) for one in found]
        list(pool.map(lambda partition: _take_back_end(client, partition), partitions))


def _partitions(client: "S3Client", topic: str) -> list[str]:
    return list(_folders(client, f"{topic}partitions/"))


def _folders(client: "S3Client", prefix: str) -> Iterator[str]:
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix, Delimiter="/"):
        yield from (found["Prefix"] for found in page.get("CommonPrefixes", ()))


def _take_back_end(client: "S3Client", partition: str) -> None:
    key = f"{partition}watermark.json"
    stored = _json(client, key)
    end = stored.get("high") or 0
    if end == 0 or (written := _end_of_batches(client, f"{partition}records/", end)) >= end:
        return
    # Where messages have expired, the groups know how far they were.
    written = max([written, *_committed(client, partition.removeprefix(TOPICS).rstrip("/"))])
    if written < end:
        log.warning("taking back offsets without a message", partition=partition, end=end, written=written)
        client.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(stored | {"high": written}).encode())


def _end_of_batches(client: "S3Client", records: str, end: int) -> int:
    """The offset behind the last message; 0 without messages."""
    look = _FIRST_LOOK
    while True:
        begin = max(0, end - look)
        keys = _batches(client, records, begin)
        if keys:
            return int(keys[-1].removeprefix(records).removesuffix(".batch")) + _messages(client, keys[-1])
        if begin == 0:
            return 0
        look *= 2


def _batches(client: "S3Client", records: str, begin: int) -> list[str]:
    """The keys of batches whose first offset is at least `begin`, in order."""
    pages = client.get_paginator("list_objects_v2").paginate(
        Bucket=BUCKET, Prefix=records, StartAfter=f"{records}{begin:020}"
    )
    return sorted(found["Key"] for page in pages for found in page.get("Contents", ()))


def _messages(client: "S3Client", key: str) -> int:
    header = client.get_object(Bucket=BUCKET, Key=key, Range=f"bytes=0-{_LAST_OFFSET.stop - 1}")["Body"].read()
    last: int = struct.unpack(">i", header[_LAST_OFFSET])[0]
    return last + 1


def _committed(client: "S3Client", partition: str) -> Iterator[int]:
    """The offsets that consumer groups have committed of `topic/partitions/number`."""
    for group in _folders(client, _GROUPS):
        yield _json(client, f"{group}offsets/{partition}.json").get("offset", 0)


def _json(client: "S3Client", key: str) -> dict[str, Any]:
    """An object's JSON; empty if there is no such object."""
    try:
        found: dict[str, Any] = json.loads(client.get_object(Bucket=BUCKET, Key=key)["Body"].read())
    except client.exceptions.NoSuchKey:
        return {}
    return found
