"""A cluster changes under its readers: slots move while they read, and nodes go away."""

import asyncio
from typing import Any

import numpy as np
import pytest
import redis
from redis.backoff import NoBackoff
from redis.cluster import RedisCluster
from redis.crc import key_slot
from redis.retry import Retry

from photofeed.online_store import FieldSpec, JoinKey, PackedReader, PackedWriter, RowSchema
from photofeed.online_store.keys import KeyEncoder
from photofeed.online_store.reader import ViewRows

POST = RowSchema("shop", "post", (JoinKey("post_id", "INT64"),), (FieldSpec("likes", "FLOAT", 0.0),))
IDS = np.arange(300)


def fill(url: str) -> None:
    client: Any = RedisCluster.from_url(url)
    with client.pipeline() as pipeline:
        PackedWriter(POST).write(pipeline, {"post_id": IDS}, {"likes": IDS}, np.ones(len(IDS), np.int64))
        pipeline.execute()
    client.close()


class Readers:
    """The sync reader and the async one, both connected before anything changes."""

    def __init__(self, url: str, timeout_seconds: float = 5) -> None:
        self._reader = PackedReader.from_url(url, [POST], cluster=True, timeout_seconds=timeout_seconds)
        self._loop = asyncio.Runner()
        self.answers()

    def answers(self) -> list[ViewRows]:
        return [self.read(), self.read_async()]

    def read(self) -> ViewRows:
        return self._reader.read({"post_id": IDS})["post"]

    def read_async(self) -> ViewRows:
        return self._loop.run(self._reader.read_async({"post_id": IDS}))["post"]

    def close(self) -> None:
        with self._loop as loop:
            loop.run(self._reader.aclose())


def right(answers: list[ViewRows]) -> bool:
    return all(rows.found.all() and rows.values["likes"].tolist() == IDS.tolist() for rows in answers)


def test_rows_are_found_while_their_slot_moves_and_after(doomed_cluster: list[int]) -> None:
    url = f"redis://127.0.0.1:{doomed_cluster[0]}"
    fill(url)
    readers = Readers(url)
    key = KeyEncoder(POST).encode({"post_id": IDS})[7]
    slot = key_slot(key)
    nodes: list[Any] = [redis.Redis(port=port) for port in doomed_cluster]
    names = [node.execute_command("CLUSTER MYID").decode() for node in nodes]
    place = slot * 3 // 16384
    source, target = place, (place + 1) % 3
    nodes[target].execute_command("CLUSTER SETSLOT", slot, "IMPORTING", names[source])
    nodes[source].execute_command("CLUSTER SETSLOT", slot, "MIGRATING", names[target])
    keys = [key for key in KeyEncoder(POST).encode({"post_id": IDS}) if key_slot(key) == slot]
    nodes[source].execute_command("MIGRATE", "127.0.0.1", doomed_cluster[target], "", 0, 5000, "KEYS", *keys)
    assert right(readers.answers())  # ASK
    for node in (nodes[target], nodes[source], nodes[3 - source - target]):
        node.execute_command("CLUSTER SETSLOT", slot, "NODE", names[target])
    assert right(readers.answers())  # MOVED, and a fresh map
    assert right(readers.answers())
    readers.close()
    for node in nodes:
        node.close()


def test_a_lost_node_is_an_error_to_try_again_and_nobody_reads_the_others_late_replies(
    doomed_cluster: list[int],
) -> None:
    url = f"redis://127.0.0.1:{doomed_cluster[0]}"
    fill(url)
    readers = Readers(url)
    with redis.Redis(port=doomed_cluster[2], retry=Retry(NoBackoff(), 0)) as doomed:
        doomed.shutdown(nosave=True)
    for read in (readers.read, readers.read_async):
        with pytest.raises(redis.ConnectionError, match="try again"):
            read()
    readers.close()
