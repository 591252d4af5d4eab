"""What does a training set by Feast's point-in-time join cost, against a hand-written ASOF join of the same rows?

300,000 rows of people, posts and creators at random moments, and 25 features of four views with 2 million rows of
history in the lake, a tenth of which became known up to a day late and must not be seen before. The baseline is the
DuckDB query that someone would write who has only this one training set to make. Both read the same mirrored Parquet
parts. Each join runs in a process of its own, in turns, each with two threads; timed is the join alone, without what a
process does once (imports, the registry, the client of object storage); peak memory is that of the process, its imports
included. Answers are compared cell by cell. Prints a table, then one line of JSON.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

DAY_US = 86_400_000_000
START_US = 1_767_225_600_000_000  # 2026-01-01
LATE_SHARE = 0.1
MEMORY_MB = 16_000  # more than either needs: both take what they like, and all cores
FEAST, BY_HAND = "Feast on the lake", "hand-written ASOF join"


@dataclass(frozen=True, slots=True)
class View:
    """One view of the benchmark: whom it is about, and how many features it has."""

    name: str
    keys: tuple[str, ...]
    features: int

    @property
    def columns(self) -> list[str]:
        """Its features."""
        return [f"{self.name}_{number}" for number in range(self.features)]


VIEWS = (
    View("people", ("user_id",), 6),
    View("posts", ("post_id",), 8),
    View("creators", ("creator_id",), 5),
    View("pairs", ("user_id", "creator_id"), 6),
)
ENTITIES = {"user_id": 20_000, "post_id": 30_000, "creator_id": 3_000}


def run(small: bool, rounds: int = 3) -> dict[str, Any]:
    """Time and peak memory of both, medians of `rounds`, and their ratios; prints the table.

    Returns:
        `trainingSetRatio` and `trainingSetMemoryRatio`, Feast's over those by hand, then what they are made of.
    """
    from photofeed.embedded.stack import EmbeddedStack  # noqa: PLC0415  the children do without

    rows, events, days = (3_000, 20_000, 1) if small else (300_000, 2_000_000, 3)
    with tempfile.TemporaryDirectory(prefix="photofeed-training-set-") as folder:
        stack = EmbeddedStack(Path(folder) / "stack")
        stack.start(servers=("seaweedfs",))
        try:
            _fill(Path(folder), stack.settings(), rows, events, days)
            runs: dict[str, list[dict[str, float]]] = {FEAST: [], BY_HAND: []}
            for number in range(rounds + 1):
                for side, found in runs.items():
                    one = _child(side, folder)
                    if number:  # the first one of each fetches the parts
                        found.append(one)
        finally:
            stack.stop()
        _compare(Path(folder))
    seconds, memory = (
        {side: median(one[what] for one in found) for side, found in runs.items()} for what in ("seconds", "memoryMb")
    )
    table = Table("", "seconds", "peak MB", title=f"{rows:,} rows, {events:,} events")
    for side in runs:
        table.add_row(side, f"{seconds[side]:.2f}", f"{memory[side]:.0f}")
    Console(stderr=True).print(table)
    return {
        "trainingSetRatio": seconds[FEAST] / seconds[BY_HAND],
        "trainingSetMemoryRatio": memory[FEAST] / memory[BY_HAND],
        "trainingSetSeconds": seconds[FEAST],
        "trainingSetByHandSeconds": seconds[BY_HAND],
        "trainingSetMemoryMb": memory[FEAST],
        "trainingSetByHandMemoryMb": memory[BY_HAND],
        "trainingSetRows": rows,
        "trainingSetEvents": events,
    }


def _fill(folder: Path, settings: Any, rows: int, events: int, days: int) -> None:
    """Write the history into the lake, the rows that are asked for beside it, and the repo's configuration."""
    import pandas as pd  # noqa: PLC0415
    import pyarrow as pa  # noqa: PLC0415

    from photofeed.object_store import S3ObjectStore  # noqa: PLC0415
    from photofeed.offline_store.lake import Lake, LakeFolder  # noqa: PLC0415

    rng = np.random.default_rng(11)
    lake = Lake(S3ObjectStore.connect(settings), folder / "mirror")
    span = days * DAY_US
    for view in VIEWS:
        count = events // len(VIEWS)
        happened = START_US + rng.integers(0, span, count)
        late = rng.random(count) < LATE_SHARE
        columns: dict[str, Any] = {key: _ids(rng, key, count) for key in view.keys}
        columns |= {name: rng.random(count, dtype=np.float32) for name in view.columns}
        columns["event_timestamp"] = pd.to_datetime(happened, unit="us", utc=True).as_unit("us")
        known = happened + np.where(late, rng.integers(0, DAY_US, count), 1_000)
        columns["created"] = pd.to_datetime(known, unit="us", utc=True).as_unit("us")
        history = pa.table(columns)
        where = LakeFolder(settings.bucket_lake, view.name)
        lake.declare(where, history.schema)
        lake.append(where, history, "event_timestamp")
    asked: dict[str, Any] = {key: _ids(rng, key, rows) for key in ENTITIES}
    asked["event_timestamp"] = pd.to_datetime(START_US + rng.integers(span // 4, span, rows), unit="us", utc=True)
    pd.DataFrame({"row": np.arange(rows)} | asked).to_parquet(folder / "asked.parquet")
    store = {
        "type": "photofeed.offline_store.LakeOfflineStore",
        "endpoint_url": settings.s3_endpoint_url,
        "access_key": settings.s3_access_key,
        "secret_key": settings.s3_secret_key.get_secret_value(),
        "region": settings.s3_region,
        "cache_dir": str(folder / "mirror"),
        "memory_mb": MEMORY_MB,
    }
    (folder / "repo.json").write_text(json.dumps({"bucket": settings.bucket_lake, "store": store}))


def _ids(rng: np.random.Generator, key: str, count: int) -> Any:
    """A few of them are met often, most seldom."""
    return (ENTITIES[key] * rng.random(count) ** 3).astype(np.int64)


def _child(side: str, folder: str) -> dict[str, float]:
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-W", "ignore", __file__, "--child", side, "--folder", folder],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def _measure(side: str, folder: Path) -> None:
    """One join in this process: how long it took and what memory it peaked at; the answer is written beside."""
    import pandas as pd  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    asked = pd.read_parquet(folder / "asked.parquet")
    join = _feast(folder) if side == FEAST else _by_hand(folder)
    began = time.perf_counter()
    table = join(asked)
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    pq.write_table(table, folder / f"{'feast' if side == FEAST else 'by-hand'}.parquet")
    sys.stdout.write(json.dumps({"seconds": seconds, "memoryMb": peak}) + "\n")


def _feast(folder: Path) -> Any:
    """Feast with a repo of the four views."""
    from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType  # noqa: PLC0415
    from feast.types import Float32  # noqa: PLC0415

    from photofeed.offline_store.lake import LakeFolder  # noqa: PLC0415
    from photofeed.offline_store.store import lake_of  # noqa: PLC0415

    repo = json.loads((folder / "repo.json").read_text())
    config = RepoConfig(
        project="training_set",
        provider="local",
        registry=str(folder / f"registry-{os.getpid()}.db"),
        online_store=None,
        offline_store=repo["store"],
        entity_key_serialization_version=3,
    )
    store = FeatureStore(config=config)
    entities = {key: Entity(name=key, join_keys=[key], value_type=ValueType.INT64) for key in ENTITIES}
    views = [
        FeatureView(
            name=view.name,
            entities=[entities[key] for key in view.keys],
            ttl=None,
            schema=[Field(name=name, dtype=Float32) for name in view.columns],
            source=FileSource(
                name=view.name,
                path=f"s3://{repo['bucket']}/{view.name}",
                timestamp_field="event_timestamp",
                created_timestamp_column="created",
            ),
        )
        for view in VIEWS
    ]
    store.apply([*entities.values(), *views])
    lake_of(config).schema(LakeFolder(repo["bucket"], VIEWS[0].name))  # connected once a process, as DuckDB is imported
    wanted = [f"{view.name}:{name}" for view in VIEWS for name in view.columns]
    return lambda asked: store.get_historical_features(asked, wanted).to_arrow()


def _by_hand(folder: Path) -> Any:
    """An ASOF join a view, by the moment at which rows became known.

    A row that became known after a newer one is of no use to anybody, so it is left out; of the others the last one
    known is the newest.
    """
    import duckdb  # noqa: PLC0415

    bucket = json.loads((folder / "repo.json").read_text())["bucket"]

    def join(asked: Any) -> Any:
        with duckdb.connect() as connection:
            connection.execute("set timezone = 'UTC'")
            connection.register("asked", asked)
            joins, columns = "", ""
            for view in VIEWS:
                keys = ", ".join(view.keys)
                files = f"{folder}/mirror/{bucket}/{view.name}/day=*/*/*.parquet"
                newest = f"over (partition by {keys} order by known, event_timestamp rows unbounded preceding)"
                connection.execute(
                    f"""create temp view {view.name} as
                    select * exclude (event_timestamp, created, newest) from (
                        select *, max(event_timestamp) {newest} as newest from (
                            select *, greatest(event_timestamp, created) as known
                            from read_parquet('{files}', hive_partitioning = false)))
                    where event_timestamp = newest"""  # noqa: S608
                )
                equal = " and ".join(f"asked.{key} = {view.name}.{key}" for key in view.keys)
                joins += f" asof left join {view.name} on {equal} and asked.event_timestamp >= {view.name}.known"
                columns += "".join(f", {view.name}.{name}" for name in view.columns)
            return connection.sql(f"select asked.*{columns} from asked{joins}").to_arrow_table()  # noqa: S608

    return join


def _compare(folder: Path) -> None:
    import pyarrow.parquet as pq  # noqa: PLC0415

    one, other = (pq.read_table(folder / f"{side}.parquet").sort_by("row") for side in ("feast", "by-hand"))
    for view in VIEWS:
        for name in view.columns:
            if not one[name].equals(other[name]):
                raise SystemExit(f"{name}: the two joins do not agree")


def main(
    small: Annotated[bool, typer.Option(help="3,000 rows over 20,000 events.")] = False,
    rounds: Annotated[int, typer.Option(help="Runs of each side.", min=1)] = 3,
    child: Annotated[str, typer.Option(hidden=True)] = "",
    folder: Annotated[Path | None, typer.Option(hidden=True)] = None,
) -> None:
    """Run it and print the figures."""
    if child and folder:
        _measure(child, folder)
        return
    found = run(small, rounds)
    print(json.dumps({name: round(value, 3) for name, value in found.items()}))


if __name__ == "__main__":
    typer.run(main)
