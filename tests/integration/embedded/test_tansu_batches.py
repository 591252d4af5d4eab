"""Small batches of the embedded broker's log are merged, and every message stays at its offset."""

import itertools
import json
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

from photofeed.embedded.stack import EmbeddedStack
from photofeed.embedded.tansu_batches import LONGEST_MS, MOST_BYTES, BatchMerger
from photofeed.embedded.tansu_log import BUCKET
from photofeed.kafka_publisher import KafkaPublisher
from photofeed.kafka_topics import create_topics
from photofeed.object_store import s3_client
from photofeed.topics import Topic

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CLUSTER = "clusters/tansu_cluster"
BEGAN_MS = 1_790_000_000_000
GZIP = 1
LEAST = 8
TOPIC = Topic("merged", key="id", partitions=1)
PATIENCE_MS = 30_000
HEADERS = [("traceparent", b"00-1"), ("empty", None)]


@dataclass(frozen=True, slots=True)
class Sent:
    """A batch as a producer sends it."""

    first: int
    messages: int = 1
    after_ms: int = 0
    codec: int = 0
    value_bytes: int = 300  # long enough for compression to pay
    is_transactional: bool = False
    is_whole: bool = True

    def body(self) -> bytes:
        builder = DefaultRecordBatchBuilder(
            magic=2,
            compression_type=self.codec,
            is_transactional=self.is_transactional,
            producer_id=7 if self.is_transactional else -1,
            producer_epoch=0 if self.is_transactional else -1,
            base_sequence=0 if self.is_transactional else -1,
            batch_size=2**31 - 1,
        )
        for number in range(self.messages):
            value = f"{self.first + number}".encode().rjust(self.value_bytes, b"0")
            builder.append(number, BEGAN_MS + self.after_ms + number, b"key", value, HEADERS)
        body = bytearray(builder.build())
        if not self.is_whole:
            body[-1] ^= 1
        return bytes(body)


@dataclass(frozen=True, slots=True)
class Partition:
    """The objects of one partition."""

    client: "S3Client"
    topic: str
    _path: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_path", f"{CLUSTER}/topics/{self.topic}/partitions/{0:010}")

    def put(self, batches: Iterable[Sent]) -> None:
        for batch in batches:
            key = f"{self._path}/records/{batch.first:020}.batch"
            self.client.put_object(Bucket=BUCKET, Key=key, Body=batch.body())

    def end(self, offset: int) -> None:
        end = json.dumps({"low": None, "high": offset, "timestamps": None})
        self.client.put_object(Bucket=BUCKET, Key=f"{self._path}/watermark.json", Body=end.encode())

    def batches(self) -> dict[int, int]:
        """First offset -> number of messages."""
        listed = self.client.list_objects_v2(Bucket=BUCKET, Prefix=f"{self._path}/records/").get("Contents", [])
        return {int(each["Key"][-26:-6]): self._read(each["Key"]).records_count for each in listed}

    def changed(self) -> dict[int, datetime]:
        """First offset -> when the batch was changed."""
        listed = self.client.list_objects_v2(Bucket=BUCKET, Prefix=f"{self._path}/records/")["Contents"]
        return {int(each["Key"][-26:-6]): each["LastModified"] for each in listed}

    def messages(self, first: int) -> list[tuple[int, int, bytes, bytes, list[tuple[str, bytes | None]]]]:
        """The messages of the batch at this offset."""
        batch = self._read(f"{self._path}/records/{first:020}.batch")
        return [
            (first + each.offset, each.timestamp, bytes(each.key), bytes(each.value), list(each.headers))
            for each in batch
        ]

    def _read(self, key: str) -> Any:
        return DefaultRecordBatch(bytearray(self.client.get_object(Bucket=BUCKET, Key=key)["Body"].read()))


@pytest.fixture
def partition(client: "S3Client", request: pytest.FixtureRequest) -> Partition:
    return Partition(client, "".join(letter for letter in request.node.name if letter.isalnum()))


def singles(first: int, end: int, **options: Any) -> list[Sent]:
    return [Sent(offset, **options) for offset in range(first, end)]


LONG = MOST_BYTES // 12 - 200  # twelve such batches fit into one


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        pytest.param(singles(5, 25), {5: 1, 6: 19}, id="messages one by one"),
        pytest.param([Sent(0, 3), Sent(3, 2), *singles(5, 12)], {0: 3, 3: 9}, id="batches of several"),
        pytest.param(singles(0, LEAST), dict.fromkeys(range(LEAST), 1), id="too few"),
        pytest.param([*singles(0, 10), *singles(11, 21)], {0: 1, 1: 9, 11: 10}, id="a message is missing"),
        pytest.param(
            [*singles(0, 10), *singles(10, 20, after_ms=LONGEST_MS + 1)],
            {0: 1, 1: 9, 10: 10},
            id="more than an hour apart",
        ),
        pytest.param(singles(0, 20, after_ms=LONGEST_MS), {0: 1, 1: 19}, id="all an hour later"),
        pytest.param(
            [*singles(0, 10), *singles(10, 20, codec=GZIP)], {0: 1, 1: 9, 10: 10}, id="compressed differently"
        ),
        pytest.param(singles(0, 20, codec=GZIP), {0: 1, 1: 19}, id="all compressed"),
        pytest.param([Sent(0), *singles(1, 21, value_bytes=LONG)], {0: 1, 1: 12, 13: 8}, id="too large for one"),
        pytest.param(
            [*singles(0, 10), Sent(10, is_transactional=True), *singles(11, 21)],
            {0: 1, 1: 9, 10: 1, 11: 10},
            id="one of a transaction",
        ),
        pytest.param(
            [*singles(0, 10), Sent(10, is_whole=False), *singles(11, 21)],
            {0: 1, 1: 9, 10: 1, 11: 10},
            id="a damaged one",
        ),
        pytest.param(
            [Sent(0), Sent(1, 10), *singles(2, 11), *singles(11, 13)],
            {0: 1, 1: 10, 11: 1, 12: 1},
            id="left by a crash",
        ),
        pytest.param(
            [Sent(0), Sent(1, 10, is_whole=False), *singles(2, 13)],
            {0: 1, 1: 10, 2: 11},
            id="the only whole copies",
        ),
        pytest.param(
            [Sent(0), Sent(1, 12), *singles(4, 13), *singles(13, 21)],
            {0: 1, 1: 20},
            id="left by a crash, and more since",
        ),
    ],
)
def test_batches_are_merged(
    client: "S3Client", partition: Partition, sent: Sequence[Sent], expected: dict[int, int]
) -> None:
    partition.put(sent)
    merger = BatchMerger(client, LEAST)
    merged = merger.merge()
    assert partition.batches() == expected
    assert merged == len(sent) - len(expected)
    assert merger.merge() == 0
    assert partition.batches() == expected


def test_the_last_batch_is_the_one_that_changed_last(client: "S3Client", partition: Partition) -> None:
    """Otherwise the broker reports the offset behind another one as the end."""
    partition.put([*singles(0, 10), Sent(20)])
    BatchMerger(client, LEAST).merge()
    changed = partition.changed()
    assert list(changed) == [0, 1, 20]
    assert changed[0] <= changed[1] < changed[20]


def test_new_batches_join_the_merged_ones(client: "S3Client", partition: Partition) -> None:
    merger = BatchMerger(client, LEAST)
    partition.put(singles(0, 10))
    merger.merge()
    partition.put(singles(10, 10 + LEAST - 1))
    merger.merge()
    assert partition.batches() == {0: 1, 1: 9 + LEAST - 1}


@pytest.mark.parametrize("codec", [0, GZIP])
def test_messages_stay_as_they_were(client: "S3Client", partition: Partition, codec: int) -> None:
    sent = [
        Sent(99),
        Sent(100, 3, codec=codec, after_ms=5),
        *singles(103, 110, codec=codec, after_ms=9),
        Sent(110, 2, codec=codec),
    ]
    partition.put(sent)
    before = [message for batch in sent[1:] for message in partition.messages(batch.first)]
    BatchMerger(client, LEAST).merge()
    assert partition.batches() == {99: 1, 100: 12}
    assert partition.messages(100) == before


def test_what_is_no_batch_is_left_alone(client: "S3Client", partition: Partition) -> None:
    partition.put(singles(0, 10))
    strange = [f"{CLUSTER}/topics/{partition.topic}/partitions/{0:010}/records/{name}" for name in ("1.batch", "note")]
    short = f"{CLUSTER}/topics/{partition.topic}/partitions/{1:010}/records/{0:020}.batch"
    for key in (*strange, short):
        client.put_object(Bucket=BUCKET, Key=key, Body=b"short")
    assert BatchMerger(client, LEAST).merge() == 8
    for key in (*strange, short):
        assert client.get_object(Bucket=BUCKET, Key=key)["Body"].read() == b"short"


def test_the_broker_serves_merged_messages_from_every_offset(tmp_path: Path) -> None:
    count = 33
    stack = EmbeddedStack(tmp_path)
    stack.start(servers=("tansu",))
    try:
        create_topics(stack.settings(), [TOPIC])
        with closing(KafkaPublisher(stack.settings())) as publisher:
            for number in range(count):
                publisher.publish_encoded(TOPIC.name, [("key", b"%d" % number)])
    finally:
        stack.stop()
    stack.start(servers=("seaweedfs",))  # without a broker, whose upkeep would merge as well
    try:
        client = s3_client(stack.settings())
        BatchMerger(client, LEAST).merge()
        assert Partition(client, TOPIC.name).batches() == {0: 1, 1: count - 1}
        stack.start(servers=("tansu",))
        servers = stack.settings().kafka_bootstrap_servers
        with KafkaConsumer(
            bootstrap_servers=servers, enable_auto_commit=False, consumer_timeout_ms=PATIENCE_MS
        ) as consumer:
            one = TopicPartition(TOPIC.name, 0)
            consumer.assign([one])
            assert consumer.beginning_offsets([one]) == {one: 0}
            for offset in (0, 7, count - 1):
                consumer.seek(one, offset)
                found = [(each.offset, int(each.value)) for each in itertools.islice(consumer, count - offset)]
                assert found == [(number, number) for number in range(offset, count)]
    finally:
        stack.stop()
