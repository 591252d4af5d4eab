"""The serving path reads exactly what Feast and the packed writer wrote, in one round trip."""

import asyncio
import math
import os
import socket
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
import redis
from feast import Entity, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.types import Bool, Float32, Int64, String

from photofeed.online_store import FieldSpec, JoinKey, PackedReader, PackedWriter, RowSchema, SchemaMismatchError
from photofeed.online_store.exchange import MGET_KEYS
from photofeed.online_store.feast_schema import row_schema
from photofeed.online_store.keys import scan_pattern
from photofeed.online_store.layouts import layouts_key
from photofeed.online_store.reader import ViewRows
from photofeed.online_store.store import PackedRedisOnlineStore

Client = Any  # redis.Redis, whose replies are typed as maybe awaitable, or RedisCluster
Server = Any  # conftest.Server: where the rows are kept, one server or a cluster

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOON_US = int(NOON.timestamp()) * 1_000_000

POST = RowSchema(
    project="shop",
    view="post",
    join_keys=(JoinKey("post_id", "INT64"),),
    fields=(FieldSpec("likes", "FLOAT", 0.0), FieldSpec("aspect", "FLOAT"), FieldSpec("topic", "INT64", -1)),
)
PAIR = RowSchema(
    project="shop",
    view="pair",
    join_keys=(JoinKey("user_id", "INT64"), JoinKey("post_id", "INT64")),
    fields=(FieldSpec("affinity", "DOUBLE", 0.5), FieldSpec("follows", "BOOL")),
)
PEOPLE = RowSchema("shop", "people", (JoinKey("handle", "STRING"),), (FieldSpec("age", "INT32"),))


def write(client: Client, schema: RowSchema, entities: Mapping[str, Any], **columns: Any) -> None:
    keys = {name: np.asarray(values) for name, values in entities.items()}
    count = len(next(iter(keys.values())))
    with client.pipeline() as pipeline:
        PackedWriter(schema).write(
            pipeline,
            keys,
            {name: np.asarray(values) for name, values in columns.items()},
            np.full(count, NOON_US),
        )
        pipeline.execute()


@pytest.fixture(params=["sync", "async"])
def read(request: pytest.FixtureRequest, server: Server) -> Any:
    def run(schemas: list[RowSchema], entities: Mapping[str, Any], *, strict: bool = False) -> dict[str, ViewRows]:
        columns = {name: np.asarray(values) for name, values in entities.items()}
        reader = PackedReader.from_url(server.url, schemas, strict=strict, timeout_seconds=5, cluster=server.is_cluster)
        if request.param == "sync":
            try:
                return reader.read(columns)
            finally:
                reader.close()

        async def read_once() -> dict[str, ViewRows]:
            try:
                return await reader.read_async(columns)
            finally:
                await reader.aclose()

        return asyncio.run(read_once())

    return run


def test_rows_come_in_the_order_asked_for_with_defaults_for_missing_entities(client: Client, read: Any) -> None:
    write(client, POST, {"post_id": [1, 2]}, likes=[10, 20], aspect=[1.5, 0.5], topic=[7, 8])
    rows = read([POST], {"post_id": [2, 9, 1, 2]})["post"]
    assert rows.values["likes"].tolist() == [20, 0, 10, 20]
    assert rows.values["topic"].tolist() == [8, -1, 7, 8]
    assert math.isnan(rows.values["aspect"][1])
    assert rows.found.tolist() == [True, False, True, True]
    assert rows.event_timestamp.tolist() == [NOON_US, 0, NOON_US, NOON_US]
    assert rows.stale_schema == 0


def test_several_views_are_read_by_a_command_each_without_repeated_keys(
    client: Client, read: Any, server: Server
) -> None:
    write(client, POST, {"post_id": [1, 2]}, likes=[1, 2], aspect=[1, 1], topic=[1, 1])
    write(client, PAIR, {"user_id": [5], "post_id": [2]}, affinity=[0.25], follows=[True])
    everywhere = {"target_nodes": "all"} if server.is_cluster else {}
    client.config_resetstat(**everywhere)
    posts = [2, 1] * 50
    views = read([POST, PAIR], {"post_id": posts, "user_id": [5]})
    assert views["post"].values["likes"].tolist() == posts
    assert views["pair"].values["affinity"].tolist() == [0.25, 0.5] * 50
    assert views["pair"].values["follows"].tolist() == [True, False] * 50
    told = client.info("all", **everywhere)
    nodes = told.values() if server.is_cluster else [told]
    assert sum(node["keyspace_hits"] + node["keyspace_misses"] for node in nodes) == 4
    assert sum(node.get("cmdstat_mget", {"calls": 0})["calls"] for node in nodes) == (0 if server.is_cluster else 2)


def test_rows_of_more_keys_than_one_command_asks_for_keep_their_order(client: Client, read: Any) -> None:
    written, asked = np.arange(0, 2_000, 2), np.random.default_rng(0).integers(0, 2_000, 3 * MGET_KEYS)
    write(client, POST, {"post_id": written}, likes=written, aspect=np.ones(1_000), topic=written)
    for count in (MGET_KEYS, MGET_KEYS + 1, 3 * MGET_KEYS):
        rows = read([POST, PAIR], {"post_id": asked[:count], "user_id": [5]})["post"]
        assert rows.values["topic"].tolist() == np.where(asked % 2 == 0, asked, -1)[:count].tolist()
        assert rows.found.tolist() == (asked % 2 == 0)[:count].tolist()


def test_pairs_are_matched_to_their_own_rows(client: Client, read: Any) -> None:
    users, posts = np.repeat(np.arange(-3, 4), 7) * 2**40, np.tile(np.arange(-3, 4), 7) * 2**50
    write(client, PAIR, {"user_id": users, "post_id": posts}, affinity=np.arange(49), follows=np.zeros(49, bool))
    order = np.random.default_rng(0).integers(0, 49, 200)
    rows = read([PAIR], {"user_id": users[order], "post_id": posts[order]})["pair"]
    assert rows.values["affinity"].tolist() == order.tolist()
    assert rows.found.all()


def test_one_user_needs_one_row_and_text_keys_work(client: Client, read: Any) -> None:
    write(client, PEOPLE, {"handle": ["ann", "bob"]}, age=[30, 40])
    views = read([PEOPLE, POST], {"handle": np.array(["bob"], object), "post_id": [1, 2, 3]})
    assert views["people"].values["age"].tolist() == [40]
    assert len(views["post"].values) == 3


def test_nulls_get_the_default_of_today_not_of_the_day_they_were_written(client: Client, read: Any) -> None:
    write(client, POST, {"post_id": [1, 2]}, likes=[math.nan, 3], aspect=[math.nan, 2], topic=[7, 8])
    moved = RowSchema.from_dict(
        POST.to_dict() | {"fields": [{"name": "likes", "type": "FLOAT", "default": 9}, *POST.to_dict()["fields"][1:]]}
    )
    rows = read([moved], {"post_id": [1, 2]})["post"]
    assert rows.values["likes"].tolist() == [9, 3]
    assert math.isnan(rows.values["aspect"][0])
    assert rows.values["topic"].tolist() == [7, 8]
    assert rows.found.all()


WIDER = RowSchema("shop", "post", POST.join_keys, (*POST.fields, FieldSpec("saves", "FLOAT", 4.0)))


def test_rows_of_earlier_and_later_layouts_are_read_by_field(client: Client, read: Any) -> None:
    write(client, POST, {"post_id": [1, 5]}, likes=[1, np.nan], aspect=[1, 1], topic=[1, 5])
    write(client, WIDER, {"post_id": [2]}, likes=[2], aspect=[2], topic=[2], saves=[2])
    ids = {"post_id": [1, 2, 3, 1, 5]}
    wider, narrow = read([WIDER], ids)["post"], read([POST], ids)["post"]
    for rows in (wider, narrow):
        assert rows.found.tolist() == [True, True, False, True, True]
        assert rows.stale_schema == 0
        assert rows.values["topic"].tolist() == [1, 2, POST.fields[2].default, 1, 5]
        assert (rows.event_timestamp > 0).tolist() == rows.found.tolist()
    assert wider.values["saves"].tolist() == [4, 2, 4, 4, 4]
    np.testing.assert_array_equal(wider.values["likes"], narrow.values["likes"])
    by_field = dict(zip((field.name for field in WIDER.fields), wider.defaulted.tolist(), strict=True))
    assert by_field == {"likes": 2, "aspect": 1, "topic": 1, "saves": 4}


def test_one_fetch_serves_schemas_of_the_same_rows(client: Client, server: Server) -> None:
    write(client, WIDER, {"post_id": [2]}, likes=[2], aspect=[2], topic=[2], saves=[2])
    other = RowSchema("shop", "post", POST.join_keys, (FieldSpec("saves", "FLOAT", 9.0), FieldSpec("gone", "INT32", 3)))
    reader = PackedReader.from_url(server.url, [], timeout_seconds=5, cluster=server.is_cluster)
    views = [reader.view(schema) for schema in (POST, WIDER, other)]
    fetched = reader.fetch({"post_id": np.array([2, 4])}, views)
    narrow, wider, apart = (fetched.rows(view).values for view in views)
    assert (narrow["likes"][0], wider["saves"].tolist()) == (2, [2, 4])
    assert (apart["saves"].tolist(), apart["gone"].tolist()) == ([2, 9], [3, 3])
    reader.close()


def test_a_reader_that_runs_learns_of_a_layout_that_comes_later(client: Client, server: Server) -> None:
    reader = PackedReader.from_url(server.url, [POST], timeout_seconds=5, cluster=server.is_cluster)
    write(client, POST, {"post_id": [1]}, likes=[1], aspect=[1], topic=[1])
    assert reader.read({"post_id": np.array([1])})["post"].values["likes"].tolist() == [1]
    write(client, WIDER, {"post_id": [1]}, likes=[7], aspect=[2], topic=[2], saves=[2])
    rows = reader.read({"post_id": np.array([1])})["post"]
    assert (rows.values["likes"].tolist(), rows.stale_schema) == ([7], 0)
    reader.close()


def test_a_broken_entry_of_the_registry_hides_no_other(client: Client, read: Any) -> None:
    write(client, POST, {"post_id": [1]}, likes=[1], aspect=[1], topic=[1])
    client.hset(layouts_key(POST), mapping={"00000000": b"not json", f"{POST.hash:08x}0": POST.to_json()})
    assert read([WIDER], {"post_id": [1]})["post"].values["likes"].tolist() == [1]


def test_rows_of_a_layout_that_nobody_registered_count_as_missing_and_are_reported(client: Client, read: Any) -> None:
    wider = WIDER
    write(client, POST, {"post_id": [1]}, likes=[1], aspect=[1], topic=[1])
    client.delete(layouts_key(POST))
    write(client, wider, {"post_id": [2]}, likes=[2], aspect=[2], topic=[2], saves=[2])
    rows = read([wider], {"post_id": [1, 2, 3, 1]})["post"]
    assert rows.values["saves"].tolist() == [4, 2, 4, 4]
    assert rows.found.tolist() == [False, True, False, False]
    assert rows.stale_schema == 1
    with pytest.raises(SchemaMismatchError, match="feature view 'post'"):
        read([wider], {"post_id": [1, 2]}, strict=True)


def test_asking_for_nobody_gives_empty_columns(read: Any) -> None:
    rows = read([POST, PAIR], {"post_id": np.array([], np.int64), "user_id": np.array([], np.int64)})
    assert [len(view.values) for view in rows.values()] == [0, 0]


def test_ids_that_are_not_integers_and_missing_columns_are_refused(read: Any) -> None:
    with pytest.raises(TypeError, match="join key 'post_id' needs integers"):
        read([POST], {"post_id": [1.0]})
    with pytest.raises(KeyError, match="post_id"):
        read([POST], {"user_id": [1]})


def _feast_config(server: Server) -> RepoConfig:
    return RepoConfig(
        project="shop",
        provider="local",
        registry="unused.db",
        online_store={"type": f"{PackedRedisOnlineStore.__module__}.PackedRedisOnlineStore", **server.options},
    )


def test_feast_and_the_packed_writer_write_the_same_bytes_and_read_each_other(server: Server, client: Client) -> None:
    fields = {"likes": Float32, "aspect": Float32, "topic": Int64, "fresh": Bool}
    table = FeatureView(
        name="post",
        entities=[Entity(name="post", join_keys=["post_id"], value_type=ValueType.INT64)],
        schema=[Field(name="post_id", dtype=Int64), *(Field(name=name, dtype=kind) for name, kind in fields.items())],
        source=FileSource(path="unused.parquet", timestamp_field="event_timestamp"),
    )
    config = _feast_config(server)
    plugin = PackedRedisOnlineStore()
    entity = EntityKey(join_keys=["post_id"], entity_values=[Value(int64_val=7)])
    features = {
        "likes": Value(float_val=2.5),
        "aspect": Value(),
        "topic": Value(int64_val=2**60 + 1),
        "fresh": Value(bool_val=True),
    }
    plugin.online_write_batch(config, table, [(entity, features, NOON, NOON)], None)
    stored = {key: client.get(key) for key in client.scan_iter(scan_pattern("shop", "post"))}
    client.flushall()
    with client.pipeline() as pipeline:
        PackedWriter(row_schema(table, "shop")).write(
            pipeline,
            {"post_id": np.array([7])},
            {
                "likes": np.array([2.5]),
                "aspect": np.array([math.nan]),
                "topic": np.array([2**60 + 1]),
                "fresh": np.array([True]),
            },
            np.array([NOON_US]),
            np.array([NOON_US]),
        )
        pipeline.execute()
    assert {key: client.get(key) for key in client.scan_iter(scan_pattern("shop", "post"))} == stored
    assert plugin.online_read(config, table, [entity]) == [(NOON, features)]
    asyncio.run(plugin.close())


def test_numbers_are_read_from_views_that_also_hold_text(server: Server) -> None:
    table = FeatureView(
        name="mixed",
        entities=[Entity(name="post", join_keys=["post_id"], value_type=ValueType.INT64)],
        schema=[
            Field(name="post_id", dtype=Int64),
            Field(name="caption", dtype=String),
            Field(name="likes", dtype=Float32, tags={"default": "3"}),
        ],
        source=FileSource(path="unused.parquet", timestamp_field="event_timestamp"),
    )
    config = _feast_config(server)
    plugin = PackedRedisOnlineStore()
    rows = [
        (
            EntityKey(join_keys=["post_id"], entity_values=[Value(int64_val=id_)]),
            {"caption": Value(string_val="x" * id_), "likes": Value(float_val=id_) if id_ % 2 else Value()},
            NOON,
            None,
        )
        for id_ in range(1, 6)
    ]
    plugin.online_write_batch(config, table, rows, None)
    reader = PackedReader.from_url(
        server.url, [row_schema(table, "shop")], timeout_seconds=5, cluster=server.is_cluster
    )
    values = reader.read({"post_id": np.arange(7)})["mixed"].values
    assert values.dtype.names == ("likes",)
    assert values["likes"].tolist() == [3, 1, 3, 3, 3, 5, 3]
    reader.close()
    asyncio.run(plugin.close())


def test_keep_newest_leaves_newer_rows_and_the_default_replaces_them(client: Client, server: Server) -> None:
    writer = PackedWriter(PEOPLE)
    reader = PackedReader.from_url(server.url, [PEOPLE], timeout_seconds=5, cluster=server.is_cluster)
    ann = {"handle": np.array(["ann"], object)}

    def age_after(age: int, at_us: int, *, keep_newest: bool) -> int:
        with client.pipeline() as pipeline:
            writer.write(pipeline, ann, {"age": np.array([age])}, np.array([at_us]), keep_newest=keep_newest)
            pipeline.execute()
        return int(reader.read(ann)["people"].values["age"][0])

    assert age_after(1, 100, keep_newest=True) == 1
    assert age_after(2, 99, keep_newest=True) == 1
    assert age_after(3, 101, keep_newest=True) == 3
    assert age_after(4, 50, keep_newest=False) == 4
    reader.close()


@pytest.mark.parametrize("keep_newest", [True, False])
def test_rows_written_with_a_time_to_live_expire(client: Client, keep_newest: bool) -> None:
    with client.pipeline() as pipeline:
        PackedWriter(PEOPLE).write(
            pipeline,
            {"handle": np.array(["ann"], object)},
            {"age": np.array([1])},
            np.array([NOON_US]),
            keep_newest=keep_newest,
            ttl_seconds=600,
        )
        pipeline.execute()
    assert 540 < client.ttl(next(client.scan_iter(scan_pattern("shop", "people")))) <= 600


def test_a_dropped_connection_is_opened_again_within_the_read(client: Client, server: Server) -> None:
    write(client, PEOPLE, {"handle": ["ann"]}, age=[30])
    reader = PackedReader.from_url(server.url, [PEOPLE], timeout_seconds=5, cluster=server.is_cluster)
    for _ in range(2):
        assert reader.read({"handle": np.array(["ann"], object)})["people"].found.all()
        _kill_connections(server)
    reader.close()


def _kill_connections(server: Server) -> None:
    client = server.connect()
    clients = [redis.Redis(port=node.port) for node in client.get_primaries()] if server.is_cluster else [client]
    for each in clients:
        each.client_kill_filter(_type="normal", skipme=True)
        each.close()
    client.close()


def test_an_unreachable_store_fails_in_time_with_an_error() -> None:
    reader = PackedReader.from_url("redis://127.0.0.1:1/0", [PEOPLE])
    with pytest.raises(redis.ConnectionError):
        reader.read({"handle": np.array(["ann"], object)})


def test_a_silent_store_fails_in_time_and_its_late_reply_is_nobody_elses() -> None:
    ann = {"handle": np.array(["ann"], object)}
    with socket.create_server(("127.0.0.1", 0)) as silent:
        reader = PackedReader.from_url(f"redis://127.0.0.1:{silent.getsockname()[1]}/0", [PEOPLE], timeout_seconds=0.05)
        with pytest.raises(redis.TimeoutError):
            reader.read(ann)
        with pytest.raises(redis.TimeoutError):
            asyncio.run(_read_once(reader, ann))
        reader.close()


async def _read_once(reader: PackedReader, entities: Mapping[str, Any]) -> None:
    try:
        await reader.read_async(entities)
    finally:
        await reader.aclose()


def test_threads_and_forked_processes_each_read_their_own_answers(client: Client, server: Server) -> None:
    ids = np.arange(400)
    write(client, POST, {"post_id": ids}, likes=ids, aspect=ids, topic=ids)
    reader = PackedReader.from_url(server.url, [POST], timeout_seconds=5, cluster=server.is_cluster)

    def right(seed: int) -> bool:
        random = np.random.default_rng(seed)
        asked = [random.choice(ids, 50) for _ in range(20)]
        return all((reader.read({"post_id": some})["post"].values["topic"] == some).all() for some in asked)

    results: list[bool] = []
    threads = [threading.Thread(target=lambda seed=seed: results.append(right(seed))) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 4

    child = os.fork()
    if child == 0:
        os._exit(0 if right(99) else 1)
    assert right(98)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    reader.close()
