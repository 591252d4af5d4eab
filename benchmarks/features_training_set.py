"""Cost of a training set: Feast's point-in-time join against a hand-written ASOF join of the same rows.

The training set has 300,000 rows of users, posts and creators at random times. It has 25 features of four views with 2
million rows of history in the lake. A tenth of the history became known up to a day late and must not be visible before
that. The baseline is a DuckDB query written for this training set only. Both sides read the same mirrored Parquet
parts. The joins take turns, each in a new process. The time is that of the join alone, without work done once per
process (imports, registry, client of object storage). The peak memory is that of the process with its imports. The
results are compared cell by cell. Prints a table, then one line of JSON.
"""

import json
import os
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
from resource_usage import peak_megabytes
from rich.console import Console
from rich.table import Table

DAY_US = 86_400_000_000
START_US = 1_767_225_600_000_000  # 2026-01-01
LATE_SHARE = 0.1
MEMORY_MB = 16_000  # more than either side needs, so that no limit applies; both use all cores
FEAST, BASELINE = "Feast on the lake", "hand-written ASOF join"
FILE_NAMES = {FEAST: "feast.parquet", BASELINE: "baseline.parquet"}


@dataclass(frozen=True, slots=True)
class View:
    """One view of the benchmark: join keys and number of features."""

    name: str
    keys: tuple[str, ...]
    features: int

    @property
    def columns(self) -> list[str]:
        """Names of its features."""
        return [f"{self.name}_{number}" for number in range(self.features)]


VIEWS = (
    View("people", ("user_id",), 6),
    View("posts", ("post_id",), 8),
    View("creators", ("creator_id",), 5),
    View("pairs", ("user_id", "creator_id"), 6),
)
ENTITIES = {"user_id": 20_000, "post_id": 30_000, "creator_id": 3_000}
ENTITIES_FILE = "entities.parquet"


def run(small: bool, rounds: int = 3) -> dict[str, Any]:
    """Measure time and peak memory of both sides, and print the table.

    Returns:
        Medians of `rounds` runs. `trainingSetRatio` and `trainingSetMemoryRatio` are Feast's over the baseline's.
    """
    from photofeed.embedded.stack import EmbeddedStack

    rows, events, days = (3_000, 20_000, 1) if small else (300_000, 2_000_000, 3)
    with tempfile.TemporaryDirectory(prefix="photofeed-training-set-") as folder:
        stack = EmbeddedStack(Path(folder) / "stack")
        stack.start(servers=("seaweedfs",))
        try:
            _fill(Path(folder), stack.settings(), rows, events, days)
            runs: dict[str, list[dict[str, float]]] = {FEAST: [], BASELINE: []}
            for number in range(rounds + 1):
                for side, results in runs.items():
                    result = _child(side, folder)
                    if number:  # the first run downloads the parts
                        results.append(result)
        finally:
            stack.stop()
        _compare(Path(folder))
    seconds, memory = (
        {side: median(result[name] for result in results) for side, results in runs.items()}
        for name in ("seconds", "memoryMb")
    )
    table = Table("", "seconds", "peak MB", title=f"{rows:,} rows, {events:,} events")
    for side in runs:
        table.add_row(side, f"{seconds[side]:.2f}", f"{memory[side]:.0f}")
    Console(stderr=True).print(table)
    return {
        "trainingSetRatio": seconds[FEAST] / seconds[BASELINE],
        "trainingSetMemoryRatio": memory[FEAST] / memory[BASELINE],
        "trainingSetSeconds": seconds[FEAST],
        "trainingSetByHandSeconds": seconds[BASELINE],
        "trainingSetMemoryMb": memory[FEAST],
        "trainingSetByHandMemoryMb": memory[BASELINE],
        "trainingSetRows": rows,
        "trainingSetEvents": events,
    }


def _fill(folder: Path, settings: Any, rows: int, events: int, days: int) -> None:
    """Write the history to the lake, and the rows of the training set and the store's configuration to `folder`."""
    import pandas as pd
    import pyarrow as pa

    from photofeed.object_store import S3ObjectStore
    from photofeed.offline_store.lake import Lake, LakeFolder

    rng = np.random.default_rng(11)
    lake = Lake(S3ObjectStore.connect(settings), folder / "mirror")
    span = days * DAY_US
    for view in VIEWS:
        count = events // len(VIEWS)
        occurred = START_US + rng.integers(0, span, count)
        late = rng.random(count) < LATE_SHARE
        columns: dict[str, Any] = {key: _ids(rng, key, count) for key in view.keys}
        columns |= {name: rng.random(count, dtype=np.float32) for name in view.columns}
        columns["event_timestamp"] = pd.to_datetime(occurred, unit="us", utc=True).as_unit("us")
        known = occurred + np.where(late, rng.integers(0, DAY_US, count), 1_000)
        columns["created"] = pd.to_datetime(known, unit="us", utc=True).as_unit("us")
        history = pa.table(columns)
        lake_folder = LakeFolder(settings.bucket_lake, view.name)
        lake.declare(lake_folder, history.schema)
        lake.append(lake_folder, history, "event_timestamp")
    entities: dict[str, Any] = {key: _ids(rng, key, rows) for key in ENTITIES}
    entities["event_timestamp"] = pd.to_datetime(START_US + rng.integers(span // 4, span, rows), unit="us", utc=True)
    pd.DataFrame({"row": np.arange(rows)} | entities).to_parquet(folder / ENTITIES_FILE)
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
    """Heavy-tailed: a few ids are frequent, most are rare."""
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
    """Run one join in this process, print its time and peak memory, and write the result to `folder`."""
    import pandas as pd
    import pyarrow.parquet as pq

    entities = pd.read_parquet(folder / ENTITIES_FILE)
    join = _feast(folder) if side == FEAST else _baseline(folder)
    began = time.perf_counter()
    table = join(entities)
    seconds = time.perf_counter() - began
    peak = peak_megabytes()
    pq.write_table(table, folder / FILE_NAMES[side])
    print(json.dumps({"seconds": seconds, "memoryMb": peak}))


def _feast(folder: Path) -> Any:
    """The join of Feast with a repo of the four views."""
    from feast import Entity, FeatureView, Field, FileSource, ValueType
    from feast.types import Float32
    from feast_stores import open_feature_store

    from photofeed.offline_store.lake import LakeFolder
    from photofeed.offline_store.store import lake_of

    repo = json.loads((folder / "repo.json").read_text())
    store = open_feature_store("training_set", folder / f"registry-{os.getpid()}.db", offline=repo["store"])
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
    lake_of(store.config).schema(LakeFolder(repo["bucket"], VIEWS[0].name))  # connects to the lake, once per process
    references = [f"{view.name}:{name}" for view in VIEWS for name in view.columns]
    return lambda entities: store.get_historical_features(entities, references).to_arrow()


def _baseline(folder: Path) -> Any:
    """One ASOF join per view, by the time at which a row became known.

    A row that became known after a newer row is dropped. Of the remaining rows, the last one known is the newest.
    """
    import duckdb

    bucket = json.loads((folder / "repo.json").read_text())["bucket"]

    def join(entities: Any) -> Any:
        with duckdb.connect() as connection:
            connection.execute("set timezone = 'UTC'")
            connection.register("entities", entities)
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
                equal = " and ".join(f"entities.{key} = {view.name}.{key}" for key in view.keys)
                joins += f" asof left join {view.name} on {equal} and entities.event_timestamp >= {view.name}.known"
                columns += "".join(f", {view.name}.{name}" for name in view.columns)
            return connection.sql(f"select entities.*{columns} from entities{joins}").to_arrow_table()  # noqa: S608

    return join


def _compare(folder: Path) -> None:
    import pyarrow.parquet as pq

    one, other = (pq.read_table(folder / name).sort_by("row") for name in FILE_NAMES.values())
    for view in VIEWS:
        for name in view.columns:
            if not one[name].equals(other[name]):
                raise SystemExit(f"{name}: the two joins differ")


def main(
    small: Annotated[bool, typer.Option(help="A small run: 3,000 rows, 20,000 events.")] = False,
    rounds: Annotated[int, typer.Option(help="Number of runs of each side.", min=1)] = 3,
    child: Annotated[str, typer.Option(hidden=True)] = "",
    folder: Annotated[Path | None, typer.Option(hidden=True)] = None,
) -> None:
    """Measure both joins and print the figures."""
    if child and folder:
        _measure(child, folder)
        return
    figures = run(small, rounds)
    print(json.dumps({name: round(value, 3) for name, value in figures.items()}))


if __name__ == "__main__":
    typer.run(main)
