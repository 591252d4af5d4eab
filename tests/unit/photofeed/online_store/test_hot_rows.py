"""Kept rows end as the store has them, whatever the order of writes, publications, reads and evictions."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from photofeed.online_store import hot_rows
from photofeed.online_store.codec import RowCodec, StoredRows
from photofeed.online_store.hot_kernel import change_rows, warm_table
from photofeed.online_store.hot_rows import OLDEST, HotRows, HotTable, TakenRows
from photofeed.online_store.keys import KeyEncoder, view_tag
from photofeed.online_store.layouts import LayoutTable
from photofeed.online_store.published_rows import (
    MOST_ROWS,
    ROWS_PER_ENTRY,
    STREAM,
    Publication,
    PublishedRows,
    is_published,
    publication,
    publish,
    published_rows,
    rewritten,
)
from photofeed.online_store.schema import FieldSpec, JoinKey, RowSchema
from tests.doubles.module_time import patch_time

LIKES, SHARES = FieldSpec("likes", "DOUBLE", 0.0), FieldSpec("shares", "DOUBLE", 0.0)
POST = RowSchema("shop", "post", (JoinKey("post_id", "INT64"),), (LIKES,))
GROWN = RowSchema("shop", "post", (JoinKey("post_id", "INT64"),), (LIKES, SHARES))
PAIR = RowSchema("shop", "pair", (JoinKey("post_id", "INT64"), JoinKey("user_id", "INT64")), (LIKES,))
NAMED = RowSchema("shop", "people", (JoinKey("handle", "STRING"),), (LIKES,))
TOLD = RowSchema("shop", "post", (JoinKey("post_id", "INT64"),), (LIKES, FieldSpec("caption", "STRING")))
TAG = view_tag("shop", "post")
CODEC = RowCodec(POST)
NOTHING = np.empty(0, np.int64)
KEYS = KeyEncoder(POST).encode({"post_id": np.array([1])})


def row(schema: RowSchema, likes: float, event_us: int, created_us: int = 0) -> bytes:
    values = np.zeros(1, schema.values_dtype)
    values["likes"] = likes
    (encoded,) = RowCodec(schema).encode(values, np.array([event_us]), np.array([created_us]))
    return encoded


def moment(stored: bytes) -> bytes:
    return stored[5:21]


@dataclass
class Store:
    """The rows of a store that keeps the newest, and what its writers publish."""

    rows: dict[int, bytes] = field(default_factory=dict)
    published: list[PublishedRows] = field(default_factory=list)

    def write(self, post: int, stored: bytes) -> None:
        before = self.rows.get(post)
        relaid = before is not None and moment(before) == moment(stored) and before[:5] != stored[:5]
        if before is None or moment(before) < moment(stored) or relaid:
            self.rows[post] = stored
        self.published.append(PublishedRows(TAG, np.array([post]), stored))

    def read(self, posts: Sequence[int], layouts: LayoutTable) -> StoredRows:
        return StoredRows.of_values([self.rows.get(post) for post in posts], layouts)


def likes(rows: StoredRows, index: np.ndarray) -> list[float]:
    values, *_ = CODEC.gather(rows, index)
    return list(values["likes"].tolist())


def expected(store: Store, posts: Sequence[int], layouts: LayoutTable) -> list[float]:
    return likes(store.read(posts, layouts), np.arange(len(posts)))


@dataclass
class Read:
    """A request between its look into the table and the reply of the store."""

    taken: TakenRows
    posts: list[int]
    reply: StoredRows | None = None


class Server:
    """A table, and the requests that use it."""

    def __init__(self, store: Store, capacity: int) -> None:
        self.store, self.layouts = store, LayoutTable([POST])
        self.table = HotTable(capacity, self.layouts)
        self.reads: list[Read] = []

    def begin(self, posts: list[int], now: float) -> None:
        taken = self.table.take(np.array(posts), self.layouts, now)
        self.reads.append(Read(taken, posts))

    def ask(self, which: int) -> None:
        read = self.reads[which]
        missing = sorted({read.posts[at] for at in read.taken.missing.tolist()})
        read.reply = self.store.read(missing, self.layouts)

    def end(self, which: int) -> None:
        read = self.reads.pop(which)
        wanted = [read.posts[at] for at in read.taken.missing.tolist()]
        missing = sorted(set(wanted))
        assert read.reply is not None
        index = np.array([missing.index(post) for post in wanted], np.int64)
        self.table.complete(read.taken, read.reply, index)

    def values(self, posts: list[int], now: float) -> list[float]:
        """What a request gets of these posts if nothing else happens meanwhile."""
        self.begin(posts, now)
        read = self.reads.pop()
        wanted = [read.posts[at] for at in read.taken.missing.tolist()]
        if not wanted:
            return likes(read.taken.rows, np.arange(len(posts)))
        missing = sorted(set(wanted))
        index = np.array([missing.index(post) for post in wanted], np.int64)
        rows = self.table.complete(read.taken, self.store.read(missing, self.layouts), index)
        return likes(rows, np.arange(len(posts)))


POSTS = st.integers(0, 3)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), POSTS, st.integers(1, 6)),
        st.tuples(st.just("publish"), st.integers(0, 5), st.just(0)),
        st.tuples(st.just("repeat"), st.integers(0, 200), st.just(0)),
        st.tuples(st.just("begin"), POSTS, POSTS),
        st.tuples(st.just("ask"), st.integers(0, 5), st.just(0)),
        st.tuples(st.just("end"), st.integers(0, 5), st.just(0)),
    ),
    max_size=60,
)


class Run:
    """Takes the steps of an example, in which everything may overtake everything else."""

    def __init__(self, capacity: int) -> None:
        self.store = Store()
        self.server = Server(self.store, capacity)
        self.applied: list[PublishedRows] = []
        self.number = 0

    def write(self, post: int, event: int) -> None:
        self.number += 1
        self.store.write(post, row(POST, self.number, event, created_us=self.number))

    def publish(self, which: int, _: int) -> None:
        if waiting := self.store.published:
            self.applied.append(waiting.pop(which % len(waiting)))
            assert self.server.table.apply(self.applied[-1])

    def repeat(self, which: int, _: int) -> None:
        if self.applied:
            assert self.server.table.apply(self.applied[which % len(self.applied)])

    def begin(self, post: int, other: int) -> None:
        self.server.begin([post, other, post], now=0.0)

    def ask(self, which: int, _: int) -> None:
        if self.server.reads:
            self.server.ask(which % len(self.server.reads))

    def end(self, which: int, _: int) -> None:
        answered = [at for at, read in enumerate(self.server.reads) if read.reply is not None]
        if answered:
            self.server.end(answered[which % len(answered)])

    def settle(self) -> None:
        while self.store.published:
            self.publish(0, 0)
        for which, read in enumerate(self.server.reads):
            if read.reply is None:
                self.server.ask(which)
        while self.server.reads:
            self.server.end(0)


# two requests read a row, one of them is late, and the row changes before its reply is there
LATE = [("begin", 0, 0), ("ask", 0, 0), ("begin", 0, 0), ("ask", 1, 0), ("end", 0, 0), ("write", 0, 1)]


# a request is late, and the row that changed meanwhile was evicted and read again
EVICTED = [
    *(("begin", 0, 0), ("ask", 0, 0), ("write", 0, 5), ("publish", 0, 0), ("write", 1, 5), ("publish", 0, 0)),
    *(("begin", 0, 0), ("ask", 1, 0), ("end", 1, 0), ("end", 0, 0)),
]


@settings(max_examples=400)
@example(LATE, 5)
@example(EVICTED, 1)
@given(STEPS, st.integers(1, 5))
def test_rows_end_as_the_store_has_them(steps: list[tuple[str, int, int]], capacity: int) -> None:
    run = Run(capacity)
    for step, one, other in steps:
        getattr(run, step)(one, other)
    run.settle()
    everything = list(range(4))
    assert run.server.values(everything, now=0.0) == expected(run.store, everything, run.server.layouts)
    assert len(run.server.table) <= capacity


def test_rows_are_read_once_and_absent_ones_too() -> None:
    store = Store({1: row(POST, 5, 1)})
    server = Server(store, 8)
    assert server.values([1, 2, 1], now=0.0) == [5, 0, 5]
    assert (server.table.reads.hits, server.table.reads.misses) == (0, 3)
    assert server.values([2, 1], now=0.0) == [0, 5]
    assert (server.table.reads.hits, server.table.reads.misses) == (2, 3)


def test_a_full_table_keeps_the_rows_that_are_used() -> None:
    server = Server(Store({post: row(POST, post, 1) for post in range(100)}), 10)
    for post in range(100):
        server.values([0, post], now=0.0)
    hits = server.table.reads.hits
    assert server.values([0], now=0.0) == [0.0]
    assert server.table.reads.hits == hits + 1
    assert len(server.table) == 10


def test_old_rows_are_read_again_and_replaced_even_by_older_ones() -> None:
    store = Store({1: row(POST, 5, event_us=9)})
    server = Server(store, 4)
    assert server.values([1], now=0.0) == [5]
    store.rows[1] = row(POST, 3, event_us=2)  # by a writer that published nothing
    assert server.values([1], now=OLDEST) == [5]
    assert server.values([1], now=OLDEST + 1) == [3]
    del store.rows[1]
    assert server.values([1], now=2 * OLDEST + 2) == [0]


def test_a_rewritten_view_is_forgotten_with_the_reads_under_way() -> None:
    store = Store({1: row(POST, 5, event_us=9), 2: row(POST, 6, event_us=9)})
    server = Server(store, 4)
    server.values([1], now=0.0)
    server.begin([2], now=0.0)
    server.ask(0)
    store.rows = {1: row(POST, 3, event_us=2), 2: row(POST, 4, event_us=2)}
    assert not server.table.apply(PublishedRows(TAG, NOTHING, b""))
    server.end(0)
    assert server.values([1, 2], now=0.0) == [3, 4]


def test_rows_of_a_layout_that_is_not_known_yet_are_counted_and_not_kept() -> None:
    store, layouts, posts = Store({1: row(GROWN, 5.0, 1)}), LayoutTable([POST]), np.array([1, 2])
    table = HotTable(8, layouts)
    taken = table.take(posts, layouts, 0.0)
    completed = table.complete(taken, store.read([1, 2], layouts), np.array([0, 1]))
    assert (completed.stale, likes(completed, np.arange(2))) == (1, [0.0, 0.0])
    assert table.take(posts, layouts, 0.0).missing.tolist() == [0]  # that there is no row of 2 is kept


@pytest.mark.parametrize("damage", [row(GROWN, 7, 9), row(POST, 7, 9) + b"\0", b"\2" + row(POST, 7, 9)[1:]])
def test_rows_that_cannot_be_read_forget_the_table(damage: bytes) -> None:
    store = Store({1: row(POST, 5, event_us=9)})
    server = Server(store, 4)
    server.values([1], now=0.0)
    assert not server.table.apply(PublishedRows(TAG, np.array([1]), damage))
    assert len(server.table) == 0


def test_rows_of_a_layout_that_the_reader_learned_are_kept() -> None:
    store = Store({1: row(POST, 5, event_us=9)})
    server = Server(store, 4)
    server.values([1], now=0.0)
    server.layouts = server.layouts.with_schemas([GROWN])
    assert server.values([1], now=0.0) == [5]
    assert server.table.apply(PublishedRows(TAG, np.array([1]), row(GROWN, 8, event_us=9)))
    store.rows[1] = row(GROWN, 8, event_us=9)  # equally new, in the layout of now
    assert server.values([1], now=0.0) == [8]
    assert server.table.reads.misses == 2


def test_a_row_of_an_unknown_layout_is_not_kept_as_absent() -> None:
    store = Store({1: row(GROWN, 8, event_us=9)})
    server = Server(store, 4)
    assert server.values([1, 2], now=0.0) == [0, 0]
    assert len(server.table) == 1
    assert server.values([1, 2], now=0.0) == [0, 0]
    assert (server.table.reads.hits, server.table.reads.misses) == (1, 3)


def test_a_row_of_an_unknown_layout_does_not_keep_others_from_being_kept() -> None:
    store = Store({1: row(GROWN, 8, event_us=9), 2: row(POST, 5, event_us=9)})
    server = Server(store, 4)
    assert server.values([1, 2, 3], now=0.0) == [0, 5, 0]
    assert server.values([2, 3], now=0.0) == [5, 0]
    assert server.table.reads.hits == 2


def test_rows_are_current_while_somebody_confirms(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    patch_time(monkeypatch, hot_rows, monotonic=lambda: now)
    rows = HotRows({TAG: HotTable(4, LayoutTable([POST]))})
    states = [rows.is_current]
    rows.confirm()
    states.append(rows.is_current)
    now += 1.5
    states.append(rows.is_current)
    rows.confirm()
    rows.forget("gap")
    states.append(rows.is_current)
    assert states == [False, True, False, False]
    assert rows.forgotten == {"gap": 1}


def test_rows_of_other_views_are_ignored() -> None:
    rows = HotRows({TAG: HotTable(4, LayoutTable([POST]))})
    rows.apply([PublishedRows(b"others", np.array([1]), b"?"), PublishedRows(TAG, NOTHING, b"")])
    assert rows.forgotten == {"rewritten": 1}


def entries_of(published: Publication) -> list[PublishedRows]:
    """What a reader of the stream gets."""
    return [published_rows(dict(zip(fields[::2], fields[1::2], strict=True))) for fields in published]


@pytest.mark.parametrize("count", [1, ROWS_PER_ENTRY, ROWS_PER_ENTRY + 1, MOST_ROWS])
def test_published_rows_are_read_back(count: int) -> None:
    posts, rows = np.arange(count), [row(POST, post, 1) for post in range(count)]
    entries = entries_of(publication(POST, KeyEncoder(POST).encode({"post_id": posts}), rows))
    assert np.concatenate([entry.ids for entry in entries]).tolist() == posts.tolist()
    assert b"".join(entry.rows for entry in entries) == b"".join(rows)
    assert {(entry.view, entry.size) for entry in entries} == {(TAG, len(rows[0]))}


def test_a_large_write_is_published_as_a_rewritten_view() -> None:
    keys = KeyEncoder(POST).encode({"post_id": np.arange(MOST_ROWS + 1)})
    many = publication(POST, keys, [row(POST, 0, 1)] * len(keys))
    assert many == rewritten(POST)
    (entry,) = entries_of(many)
    assert not len(entry.ids)


def test_entries_are_added_to_a_bounded_stream() -> None:
    client = MagicMock()
    publish(client, rewritten(POST) * 2)
    commands = [call.args[:3] for call in client.pipeline().execute_command.call_args_list]
    assert commands == [("XADD", STREAM, "MAXLEN")] * 2
    assert client.pipeline().execute.call_count == 1


def test_the_loops_are_compiled_before_rows_are_published() -> None:
    warm_table()
    compiler: Any = change_rows
    compiled = len(compiler.signatures)
    assert HotTable(4, LayoutTable([POST])).apply(*entries_of(publication(POST, KEYS, [row(POST, 1, 1)])))
    assert len(compiler.signatures) == compiled


def test_a_table_has_room_for_a_row() -> None:
    with pytest.raises(ValueError, match="keeps none"):
        HotTable(0, LayoutTable([POST]))


@pytest.mark.parametrize("schema", [PAIR, NAMED, TOLD])
def test_rows_of_pairs_of_text_keys_and_of_fields_that_servers_cannot_read_are_not_published(schema: RowSchema) -> None:
    assert publication(schema, [b"key"], [b"row"]) == rewritten(schema) == []
    assert not is_published(schema)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {b"ids": b"\0" * 8, b"rows": b"r"},
        {b"view": TAG, b"ids": b"\0" * 7, b"rows": b"r"},
        {b"view": TAG, b"ids": b"\0" * 16, b"rows": b"odd"},
        {b"view": TAG, b"ids": b"\0" * 8},
        {b"view": TAG, b"rows": b"r"},
    ],
)
def test_a_damaged_entry_is_named(fields: dict[bytes, bytes]) -> None:
    with pytest.raises(ValueError, match="rows:published"):
        published_rows(fields)


def test_rows_are_completed_in_the_layouts_in_which_they_were_taken() -> None:
    table, layouts = HotTable(4, LayoutTable([POST])), LayoutTable([GROWN, POST])
    taken = table.take(np.array([1]), LayoutTable([POST]), 0.0)
    with pytest.raises(ValueError, match="in the layouts in which they were taken"):
        table.complete(taken, StoredRows.of_values([row(GROWN, 1, 1)], layouts), np.array([0]))
    taken = table.take(np.array([1, 2, 3]), layouts, 0.0)
    read = StoredRows.of_values([row(POST, 5, 1), None, row(GROWN, 7, 1)], layouts)
    found = table.complete(taken, read, np.array([2, 1, 0]))
    assert likes(found, np.arange(3)) == [7, 0, 5]
    assert likes(table.take(np.array([3, 1]), layouts, 0.0).rows, np.arange(2)) == [5, 7]
