"""Feast's own behaviour, asked of the plug-in: what `OnlineStore` promises for every type, null, time and key."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from feast import Entity, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.infra.online_stores.helpers import get_online_store_from_config
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import (
    BoolList,
    BytesList,
    DoubleList,
    FloatList,
    Int32List,
    Int64List,
    Int64Set,
    Map,
    RepeatedValue,
    ScalarMap,
    StringList,
    StringSet,
    Value,
    ZonedTimestamp,
)
from feast.types import (
    Array,
    Bool,
    Bytes,
    Decimal,
    FeastType,
    Float32,
    Float64,
    ImageBytes,
    Int32,
    Int64,
    Json,
    PdfBytes,
    Set,
    String,
    Struct,
    TimeUuid,
    UnixTimestamp,
    Uuid,
)
from feast.types import Map as MapType
from feast.types import (
    ScalarMap as ScalarMapType,
)
from feast.types import ZonedTimestamp as ZonedTimestampType

from photofeed.online_store import SchemaMismatchError
from photofeed.online_store.keys import scan_pattern, view_tag
from photofeed.online_store.published_rows import STREAM, published_rows

Server = Any  # conftest.Server: where the rows are kept, one server or a cluster

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)

EVERY_TYPE: list[tuple[FeastType, Value]] = [
    (Float32, Value(float_val=1.5)),
    (Float64, Value(double_val=-1e300)),
    (Int32, Value(int32_val=-(2**31))),
    (Int64, Value(int64_val=2**63 - 1)),
    (Bool, Value(bool_val=True)),
    (UnixTimestamp, Value(unix_timestamp_val=1_700_000_000)),
    (String, Value(string_val="día\x00")),
    (String, Value(string_val="")),
    (Bytes, Value(bytes_val=b"\x00\xff")),
    (PdfBytes, Value(bytes_val=b"%PDF")),
    (ImageBytes, Value(bytes_val=b"\x89PNG")),
    (Uuid, Value(uuid_val="8b0d4f4e-9d4e-4a3b-8d1e-2f1f7a6d9c01")),
    (TimeUuid, Value(time_uuid_val="c0a3d3a0-0000-11ee-be56-0242ac120002")),
    (Decimal, Value(decimal_val="1.10")),
    (Json, Value(json_val='{"a": [1]}')),
    (MapType, Value(map_val=Map(val={"a": Value(int64_val=1)}))),
    (ScalarMapType, Value(scalar_map_val=ScalarMap())),
    (Struct({"a": Int64}), Value(struct_val=Map(val={"a": Value(int64_val=1)}))),
    (ZonedTimestampType, Value(zoned_timestamp_val=ZonedTimestamp())),
    (Array(Float32), Value(float_list_val=FloatList(val=[1.0, 2.5]))),
    (Array(Float32), Value(float_list_val=FloatList(val=[]))),
    (Array(Float64), Value(double_list_val=DoubleList(val=[0.1]))),
    (Array(Int32), Value(int32_list_val=Int32List(val=[1]))),
    (Array(Int64), Value(int64_list_val=Int64List(val=[1, 2]))),
    (Array(Bool), Value(bool_list_val=BoolList(val=[True, False]))),
    (Array(String), Value(string_list_val=StringList(val=["a", ""]))),
    (Array(Bytes), Value(bytes_list_val=BytesList(val=[b"a"]))),
    (Array(UnixTimestamp), Value(unix_timestamp_list_val=Int64List(val=[5]))),
    (Array(Array(Int64)), Value(list_val=RepeatedValue(val=[Value(int64_list_val=Int64List(val=[1]))]))),
    (Set(Int64), Value(int64_set_val=Int64Set(val=[3]))),
    (Set(String), Value(string_set_val=StringSet(val=["x"]))),
]


def view(
    *fields: FeastType, name: str = "stats", keys: Sequence[tuple[str, FeastType]] = (("id", Int64),)
) -> FeatureView:
    named = [Field(name=f"f{position}", dtype=dtype) for position, dtype in enumerate(fields)]
    entities = [
        Entity(name=key, join_keys=[key], value_type=ValueType.INT64 if dtype == Int64 else ValueType.STRING)
        for key, dtype in keys
    ]
    return FeatureView(
        name=name,
        entities=entities,
        schema=[*(Field(name=key, dtype=dtype) for key, dtype in keys), *named],
        source=FileSource(path="unused.parquet", timestamp_field="event_timestamp"),
    )


def key(**values: int | str) -> EntityKey:
    protos = [Value(int64_val=v) if isinstance(v, int) else Value(string_val=v) for v in values.values()]
    return EntityKey(join_keys=list(values), entity_values=protos)


def number(value: float) -> dict[str, Value]:
    return {"f0": Value(double_val=value)}


class Store:
    """The plug-in as Feast loads it, with its config at hand; every call runs the sync or the async twin."""

    def __init__(self, server: Server, *, asynchronous: bool, **options: Any) -> None:
        kind = "photofeed.online_store.store.PackedRedisOnlineStore"
        self.config = RepoConfig(
            project="shop",
            provider="local",
            registry="unused.db",
            online_store={"type": kind, **server.options, **options},
            entity_key_serialization_version=3,
        )
        self.plugin = get_online_store_from_config(self.config.online_store)
        self._runner = asyncio.Runner() if asynchronous else None

    def write(self, table: FeatureView, *rows: Any) -> None:
        if self._runner:
            self._runner.run(self.plugin.online_write_batch_async(self.config, table, list(rows), None))
        else:
            self.plugin.online_write_batch(self.config, table, list(rows), None)

    def read(self, table: FeatureView, *keys: EntityKey, features: list[str] | None = None) -> list[Any]:
        if self._runner:
            return self._runner.run(self.plugin.online_read_async(self.config, table, list(keys), features))
        rows: list[Any] = self.plugin.online_read(self.config, table, list(keys), features)
        return rows

    def close(self) -> None:
        with self._runner or asyncio.Runner() as runner:
            runner.run(self.plugin.close())


@pytest.fixture(params=["sync", "async"])
def store(request: pytest.FixtureRequest, server: Server) -> Any:
    opened = Store(server, asynchronous=request.param == "async")
    yield opened
    opened.close()


def test_every_type_comes_back_as_it_was_written_in_one_row(store: Store) -> None:
    table = view(*(dtype for dtype, _ in EVERY_TYPE))
    features = {f"f{position}": value for position, (_, value) in enumerate(EVERY_TYPE)}
    store.write(table, (key(id=1), features, NOON, None))
    assert store.read(table, key(id=1)) == [(NOON, features)]


@pytest.mark.parametrize(("dtype", "value"), EVERY_TYPE)
def test_null_and_value_of_each_type_are_told_apart(server: Server, dtype: FeastType, value: Value) -> None:
    store = Store(server, asynchronous=False)
    table = view(dtype, Int64)
    store.write(table, (key(id=1), {"f0": value}, NOON, None), (key(id=2), {"f0": Value()}, NOON, None))
    assert store.read(table, key(id=2), key(id=1), features=["f0"]) == [(NOON, {"f0": Value()}), (NOON, {"f0": value})]
    store.close()


def test_missing_entities_have_neither_time_nor_values_and_order_is_kept(store: Store) -> None:
    table = view(Float64)
    store.write(table, (key(id=5), number(5), NOON, None), (key(id=7), number(7), NOON, None))
    found = store.read(table, key(id=7), key(id=6), key(id=5), key(id=7))
    assert found == [(NOON, number(7)), (None, None), (NOON, number(5)), (NOON, number(7))]
    assert store.read(table) == []


def test_only_the_requested_features_are_returned(store: Store) -> None:
    table = view(Float64, Int64, String)
    store.write(table, (key(id=1), {"f1": Value(int64_val=4), "f2": Value(string_val="x")}, NOON, None))
    assert store.read(table, key(id=1), features=["f2", "f1"]) == [
        (NOON, {"f2": Value(string_val="x"), "f1": Value(int64_val=4)})
    ]


@pytest.mark.parametrize("together", [True, False], ids=["one batch", "batches"])
def test_a_late_row_does_not_replace_a_newer_one(store: Store, together: bool) -> None:
    table = view(Float64)
    rows = [
        (key(id=1), number(1), NOON, None),
        (key(id=1), number(2), NOON + SECOND, None),
        (key(id=1), number(3), NOON - SECOND, None),
        (key(id=1), number(4), NOON + SECOND, None),
    ]
    for batch in [rows] if together else [[row] for row in rows]:
        store.write(table, *batch)
    assert store.read(table, key(id=1)) == [(NOON + SECOND, number(2))]


def test_of_equal_event_times_the_later_created_row_wins_as_in_the_offline_join(store: Store) -> None:
    table = view(Float64)
    store.write(table, (key(id=1), number(1), NOON, NOON))
    store.write(table, (key(id=1), number(2), NOON, NOON + SECOND))
    store.write(table, (key(id=1), number(3), NOON, NOON))
    assert store.read(table, key(id=1)) == [(NOON, number(2))]


def test_times_before_1970_and_microseconds_keep_their_order(store: Store) -> None:
    table = view(Float64)
    old = datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    store.write(table, (key(id=1), number(1), old, None))
    store.write(table, (key(id=1), number(2), old - timedelta(microseconds=1), None))
    assert store.read(table, key(id=1)) == [(old, number(1))]
    store.write(table, (key(id=1), number(3), old + timedelta(microseconds=1), None))
    assert store.read(table, key(id=1)) == [(datetime(1970, 1, 1, tzinfo=UTC), number(3))]


def test_naive_times_are_utc(store: Store) -> None:
    table = view(Float64)
    store.write(table, (key(id=1), number(1), NOON.replace(tzinfo=None), NOON.replace(tzinfo=None)))
    assert store.read(table, key(id=1)) == [(NOON, number(1))]


def test_several_join_keys_in_any_order_name_the_same_entity(store: Store) -> None:
    table = view(Float64, keys=[("user_id", Int64), ("creator", String)])
    store.write(table, (key(user_id=1, creator="ann"), number(1), NOON, None))
    store.write(table, (key(creator="bob", user_id=1), number(2), NOON, None))
    assert store.read(table, key(creator="ann", user_id=1), key(user_id=1, creator="bob")) == [
        (NOON, number(1)),
        (NOON, number(2)),
    ]


def test_text_keys_that_concatenate_alike_are_different_entities(store: Store) -> None:
    table = view(Float64, keys=[("a", String), ("b", String)])
    store.write(table, (key(a="1", b="11"), number(1), NOON, None), (key(a="11", b="1"), number(2), NOON, None))
    assert store.read(table, key(a="1", b="11"), key(a="11", b="1"), key(a="", b="111")) == [
        (NOON, number(1)),
        (NOON, number(2)),
        (None, None),
    ]


def test_a_join_key_that_cannot_be_a_key_is_refused_by_name(store: Store) -> None:
    bad = EntityKey(join_keys=["id"], entity_values=[Value(float_val=1)])
    with pytest.raises(TypeError, match=r"join key 'id'.*float_val"):
        store.read(view(Float64), bad)


def test_a_value_of_another_type_than_declared_is_refused_and_nothing_of_the_batch_is_written(store: Store) -> None:
    table = view(Float64)
    with pytest.raises(TypeError, match=r"'f0' is declared DOUBLE.*string_val"):
        store.write(table, (key(id=1), number(1), NOON, None), (key(id=2), {"f0": Value(string_val="1")}, NOON, None))
    assert store.read(table, key(id=1)) == [(None, None)]


def test_rows_of_an_earlier_layout_keep_their_values_and_lack_new_fields(store: Store) -> None:
    before, after = view(Float64), view(Float64, Int64, String)
    text = {"f2": Value(string_val="later")}
    store.write(before, (key(id=1), number(1), NOON, NOON), (key(id=2), {"f0": Value()}, NOON, None))
    assert store.read(after, key(id=1)) == [(NOON, number(1) | {"f1": Value(), "f2": Value()})]
    assert store.read(after, key(id=2)) == [(NOON, {"f0": Value(), "f1": Value(), "f2": Value()})]
    store.write(after, (key(id=1), number(2) | text, NOON + SECOND, None))
    assert store.read(after, key(id=1)) == [(NOON + SECOND, number(2) | {"f1": Value()} | text)]
    assert store.read(before, key(id=1), key(id=2)) == [(NOON + SECOND, number(2)), (NOON, {"f0": Value()})]


def test_an_older_row_of_another_layout_replaces_nothing_and_an_equally_new_one_does(store: Store) -> None:
    before, after = view(Float64), view(Float64, Int64)
    store.write(before, (key(id=1), number(1), NOON, None))
    store.write(after, (key(id=1), number(2), NOON - SECOND, None))
    assert store.read(after, key(id=1)) == [(NOON, number(1) | {"f1": Value()})]
    store.write(after, (key(id=1), number(1) | {"f1": Value(int64_val=5)}, NOON, None))
    assert store.read(after, key(id=1)) == [(NOON, number(1) | {"f1": Value(int64_val=5)})]


def test_a_field_of_another_type_is_null_in_earlier_rows(store: Store) -> None:
    store.write(view(Float64), (key(id=1), number(1), NOON, None))
    assert store.read(view(Float32), key(id=1)) == [(NOON, {"f0": Value()})]


def test_strict_refuses_rows_of_an_unknown_layout_and_says_what_to_do(server: Server, client: Any) -> None:
    store = Store(server, asynchronous=False, strict=True)
    store.write(view(Float64), (key(id=1), number(1), NOON, None))
    client.delete(*client.scan_iter("layouts:*"))
    with pytest.raises(SchemaMismatchError, match=r"1 stored rows of feature view 'stats'.*feast materialize"):
        store.read(view(Float32), key(id=1))
    store.close()


def test_rows_expire_after_the_configured_time_and_are_kept_without_it(server: Server, client: Any) -> None:
    mortal, lasting = Store(server, asynchronous=False, key_ttl_seconds=600), Store(server, asynchronous=False)
    mortal.write(view(Float64), (key(id=1), number(1), NOON, None))
    lasting.write(view(Float64, name="others"), (key(id=1), number(1), NOON, None))
    assert 540 < client.ttl(next(client.scan_iter(scan_pattern("shop", "stats")))) <= 600
    assert client.ttl(next(client.scan_iter(scan_pattern("shop", "others")))) == -1
    mortal.close()
    lasting.close()


def test_dropping_a_view_deletes_its_rows_and_no_others(server: Server, client: Any) -> None:
    store = Store(server, asynchronous=False)
    dropped, kept = view(Float64, name="st[a]ts"), view(Float64, name="stats")
    rows = [(key(id=id_), number(id_), NOON, None) for id_ in range(2500)]
    store.write(dropped, *rows)
    store.write(kept, *rows[:3])
    store.plugin.update(store.config, [dropped], [kept], [], [], partial=False)
    assert len(set(client.scan_iter()) - {STREAM.encode()}) == 3 + 1  # and its layout
    store.plugin.teardown(store.config, [kept], [])
    assert not set(client.scan_iter()) - {STREAM.encode()}
    latest = [published_rows(entry) for _, entry in client.xrevrange(STREAM)]
    rewritten = [one.view for one in latest if not len(one.ids)]  # no rows: readers forget those that they keep
    assert rewritten[:2] == [view_tag("shop", "stats"), view_tag("shop", "st[a]ts")]
    store.close()


def test_progress_counts_every_row_and_large_batches_arrive_whole(server: Server) -> None:
    store, seen = Store(server, asynchronous=False), list[int]()
    table = view(Float64)
    rows = [(key(id=id_), number(id_), NOON, None) for id_ in range(1234)]
    store.plugin.online_write_batch(store.config, table, rows, seen.append)
    assert sum(seen) == 1234
    found = store.read(table, *(row[0] for row in rows))
    assert [features["f0"].double_val for _, features in found] == list(range(1234))
    store.close()


def test_precomputed_vectors_of_feast_are_kept_and_found(server: Server) -> None:
    store = Store(server, asynchronous=False)
    store.plugin.write_precomputed_vector(store.config, "feed", "shop", key(id=1), b"vector")
    assert store.plugin.read_precomputed_vectors(store.config, "feed", "shop", [key(id=1), key(id=2)]) == [
        b"vector",
        None,
    ]
    store.close()


def test_feast_loads_the_plugin_by_the_name_in_its_configuration(server: Server) -> None:
    store = Store(server, asynchronous=False)
    plugin = type(store.plugin)
    assert f"{plugin.__module__}.{plugin.__name__}" == store.config.online_store.type
    store.close()
