"""Offsets that a killed broker has taken without writing a message are taken back before it starts again."""

import json
import struct
from typing import TYPE_CHECKING

import pytest

from photofeed.embedded.tansu_log import BUCKET, take_back_ends

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CLUSTER = "clusters/tansu_cluster"


@pytest.mark.parametrize(
    ("end", "batches", "committed", "expected"),
    [
        pytest.param(2, {0: 1, 1: 1}, {}, 2, id="all messages are there"),
        pytest.param(3, {0: 1, 1: 1}, {}, 2, id="the last message is missing"),
        pytest.param(4, {0: 1, 2: 1}, {}, 3, id="one in between is missing, too"),
        pytest.param(101, {0: 100}, {"a": 100}, 100, id="behind a batch of several"),
        pytest.param(500, {10: 3}, {"a": 13}, 13, id="far behind the last batch"),
        pytest.param(1, {}, {}, 0, id="the first message is missing"),
        pytest.param(5, {}, {"a": 5, "b": 2}, 5, id="all messages have expired"),
        pytest.param(6, {}, {"a": 5, "b": 2}, 5, id="all have expired, and one is missing"),
        pytest.param(0, {}, {}, 0, id="nothing was written"),
    ],
)
def test_ends_are_moved_behind_the_last_message(
    client: "S3Client",
    request: pytest.FixtureRequest,
    end: int,
    batches: dict[int, int],
    committed: dict[str, int],
    expected: int,
) -> None:
    topic = request.node.callspec.id.replace(" ", "-").replace(",", "")
    partition = f"{CLUSTER}/topics/{topic}/partitions/{3:010}"

    def put(key: str, body: bytes) -> None:
        client.put_object(Bucket=BUCKET, Key=key, Body=body)

    put(f"{partition}/watermark.json", json.dumps({"low": None, "high": end or None, "timestamps": None}).encode())
    for first, messages in batches.items():
        put(f"{partition}/records/{first:020}.batch", bytes(23) + struct.pack(">i", messages - 1) + bytes(40))
    for group, offset in committed.items():
        key = f"{CLUSTER}/groups/consumers/{group}/offsets/{topic}/partitions/{3:010}.json"
        put(key, json.dumps({"offset": offset}).encode())

    take_back_ends(client)

    stored = json.loads(client.get_object(Bucket=BUCKET, Key=f"{partition}/watermark.json")["Body"].read())
    assert stored | {"high": stored["high"] or 0} == {"low": None, "high": expected, "timestamps": None}


def test_a_partition_without_an_end_is_left_alone(client: "S3Client") -> None:
    key = f"{CLUSTER}/topics/never-written/partitions/{0:010}/records/{0:020}.batch"
    client.put_object(Bucket=BUCKET, Key=key, Body=bytes(70))
    take_back_ends(client)
    listed = client.list_objects_v2(Bucket=BUCKET, Prefix=f"{CLUSTER}/topics/never-written/")
    assert [found["Key"] for found in listed["Contents"]] == [key]
