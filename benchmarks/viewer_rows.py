"""What a viewer's rows of user and creator cost Redis: as keys of their own, or as fields of one hash per viewer.

The same packed rows are stored both ways in one Valkey. Both ways are asked for the rows that a feed wants, in turns:
keys by MGETs as `PackedReader` sends them, fields by HMGET, and the whole hash by HVALS. Costs are Redis' processor
time per read, without that of a PING. Prints a table, then one line of JSON.
"""

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from resource_usage import redis_processor_seconds
from rich.console import Console
from rich.table import Table

from photofeed.embedded.stack import EmbeddedStack
from photofeed.features.manifest import FeatureManifest
from photofeed.online_store.exchange import MGET_KEYS
from photofeed.online_store.keys import KeyEncoder
from photofeed.online_store.schema import RowSchema
from photofeed.online_store.writer import PackedWriter
from photofeed.redis_client import RedisClient, connect_redis

VIEW = "user_creator"
SERVED = Path(__file__).parents[1] / "feature_repo" / "served" / "feed_ranker_v1.json"
WANTED = 150  # creators of the 500 candidates of a feed
READS_A_TURN = 300
NOW_US = 1_770_000_000_000_000
Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class World:
    """The creators of each viewer's rows, (viewers, rows)."""

    schema: RowSchema
    creators: Ids

    def keys(self, viewer: int, creators: Ids) -> Sequence[bytes]:
        """The keys of the viewer's rows with these creators."""
        user = np.full(len(creators), viewer, np.int64)
        return KeyEncoder(self.schema).encode({"user_id": user, "creator_id": creators})

    def store(self, client: RedisClient) -> None:
        """Store all rows both ways."""
        writer, random = PackedWriter(self.schema), np.random.default_rng(7)
        for viewer, creators in enumerate(self.creators):
            count = len(creators)
            values = np.zeros(count, self.schema.values_dtype)
            for field in self.schema.fixed_fields:
                values[field.name] = random.exponential(5.0, count)
            entities = {"user_id": np.full(count, viewer, np.int64), "creator_id": creators}
            pipeline = client.pipeline(transaction=False)
            writer.write(pipeline, entities, values, np.full(count, NOW_US))
            pipeline.execute()
            stored: Any = client.mget(self.keys(viewer, creators))
            client.hset(_hash(viewer), mapping=dict(zip(_fields(creators), stored, strict=True)))


def _hash(viewer: int) -> str:
    return f"own:{viewer}"


def _fields(creators: Ids) -> list[bytes]:
    return [creator.tobytes() for creator in creators]


def reads(world: World, client: RedisClient, viewer: int, wanted: Ids) -> dict[str, Callable[[], object]]:
    """The ways to read a viewer's rows with the wanted creators, with their arguments made beforehand."""
    keys, fields, name = world.keys(viewer, wanted), _fields(wanted), _hash(viewer)
    pipeline = client.pipeline(transaction=False)
    for start in range(0, len(keys), MGET_KEYS):
        pipeline.mget(keys[start : start + MGET_KEYS])
    return {
        "keys": pipeline.execute,
        "hash": lambda: client.hmget(name, fields),
        "wholeHash": lambda: client.hvals(name),
        "ping": client.ping,
    }


def measure(world: World, client: RedisClient, turns: int) -> dict[str, float]:
    """Median milliseconds of Redis' processor per read, without a PING, and bytes of memory per row."""
    random = np.random.default_rng(11)
    wanted = min(WANTED, world.creators.shape[1])
    spent: dict[str, list[float]] = {way: [] for way in ("keys", "hash", "wholeHash", "ping")}
    for _ in range(turns):
        viewers = random.integers(len(world.creators), size=READS_A_TURN).tolist()
        prepared = [reads(world, client, v, random.choice(world.creators[v], wanted, replace=False)) for v in viewers]
        for way, of_way in spent.items():
            before = redis_processor_seconds(client)
            for read in prepared:
                read[way]()
            of_way.append((redis_processor_seconds(client) - before) / READS_A_TURN * 1_000)
    cost = {way: median(of_way) for way, of_way in spent.items()}
    rows = world.creators.shape[1]
    one_key = world.keys(0, world.creators[0][:1])[0]
    return {way: cost[way] - cost["ping"] for way in ("keys", "hash", "wholeHash")} | {
        "keyBytes": float(client.memory_usage(one_key) or 0),
        "hashBytes": (client.memory_usage(_hash(0), samples=0) or 0) / rows,
    }


def main(
    turns: Annotated[int, typer.Option(min=1, help="Turns of each way.")] = 12,
    rows: Annotated[list[int] | None, typer.Option(min=1, help="Rows per viewer; repeat it for several sizes.")] = None,
) -> None:
    """Compare keys of their own with one hash per viewer."""
    schema = FeatureManifest.from_json(SERVED.read_bytes()).view(VIEW).schema
    table = Table("rows per viewer", "wanted", "keys, ms", "hash, ms", "whole hash, ms", "key, bytes", "field, bytes")
    figures: dict[str, dict[str, float]] = {}
    for count in rows or (50, 200, 5_000):
        random = np.random.default_rng(3)
        viewers = max(60, min(4_000, 800_000 // count))
        world = World(schema, np.array([random.choice(10**6, count, replace=False) for _ in range(viewers)], np.int64))
        with tempfile.TemporaryDirectory(prefix="photofeed-bench-") as folder:
            stack = EmbeddedStack(Path(folder))
            try:
                stack.start(servers=("valkey",))
                with connect_redis(stack.settings()) as client:
                    world.store(client)
                    found = measure(world, client, turns)
            finally:
                stack.stop()
        figures[str(count)] = {name: round(value, 4) for name, value in found.items()}
        table.add_row(
            f"{count:,}",
            f"{min(WANTED, count)}",
            *(f"{found[way]:.3f}" for way in ("keys", "hash", "wholeHash")),
            *(f"{found[way]:.0f}" for way in ("keyBytes", "hashBytes")),
        )
    Console().print(table)
    print(json.dumps({"wanted": WANTED, "byRows": figures}))


if __name__ == "__main__":
    typer.run(main)
