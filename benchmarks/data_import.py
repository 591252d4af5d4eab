"""What an import costs: rows of impressions and clicks from Parquet to the lake, and their features by the backfill.

The costs are processor time of this process: reading, checking, looking up, hashing and encoding are in it, the
servers are not. Prints a table, then one line of JSON.
"""

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import typer
from resource_usage import peak_megabytes, reset_peak
from rich.console import Console
from rich.table import Table

from ingestion.importing.run import import_folder
from photofeed import database
from photofeed.embedded.stack import WITHOUT_MLFLOW, EmbeddedStack
from photofeed.feature_store import apply_feature_repo
from photofeed.object_store import S3ObjectStore
from photofeed.settings import Settings

SLATE_LENGTH, CLICK_RATE, DAYS = 20, 0.1, 14
app = typer.Typer(add_completion=False)


@dataclass(slots=True)
class Stages:
    """Processor seconds of each stage of an import, from the calls of its progress."""

    seconds: dict[str, float] = field(default_factory=dict)
    _last: float = field(default_factory=time.process_time)

    def note(self, stage: str, done: int, of: int) -> None:  # noqa: ARG002  as `Progress`
        """Add the time since the last call to this stage."""
        now = time.process_time()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._last
        self._last = now


@app.command()
def main(
    rows: Annotated[int, typer.Option(help="Impressions and clicks.", min=1_000)] = 1_000_000,
    people: Annotated[int, typer.Option(min=10)] = 20_000,
    items: Annotated[int, typer.Option(min=SLATE_LENGTH)] = 20_000,
) -> None:
    """Import a made click log into an empty stack, and compute its features."""
    with _empty_stack() as settings, tempfile.TemporaryDirectory() as made:
        count = _write_log(Path(made), rows, people, items)
        stages = Stages()
        reset_peak()
        done = import_folder(settings, Path(made), stages.note)
        peak = peak_megabytes()
    total = people + items + count
    intake = sum(stages.seconds[stage] for stage in ("files", "rows", "events"))
    table = Table("stage", "processor seconds")
    for stage, seconds in stages.seconds.items():
        table.add_row(stage, f"{seconds:.2f}")
    Console(stderr=True).print(table)
    figures = {
        "rowsPerCoreSecond": round(total / intake),
        "backfillEventsPerCoreSecond": round(done.events / stages.seconds["features"]),
        "peakRssMb": round(peak),
        "rows": total,
    }
    typer.echo(json.dumps(figures))


@contextmanager
def _empty_stack() -> Iterator[Settings]:
    with tempfile.TemporaryDirectory() as folder:
        stack = EmbeddedStack(Path(folder))
        stack.start(servers=WITHOUT_MLFLOW)
        try:
            settings = stack.settings()
            database.migrate(settings)
            apply_feature_repo(settings, S3ObjectStore.connect(settings))
            yield settings
        finally:
            stack.stop()


def _write_log(folder: Path, rows: int, people: int, items: int) -> int:
    """A click log of two weeks in random order; returns the number of its impressions and clicks."""
    rng, start = np.random.default_rng(1), datetime.now(UTC) - timedelta(days=DAYS + 1)
    pq.write_table(pa.table({"user_id": np.arange(people)}), folder / "users.parquet")
    topics = [f"topic{number % 50}" for number in range(items)]
    pq.write_table(pa.table({"item_id": np.arange(items), "tags": topics}), folder / "items.parquet")
    slates = round(rows / (1 + CLICK_RATE) / SLATE_LENGTH)
    shown = slates * SLATE_LENGTH
    begun = rng.integers(0, DAYS * 86_400, slates).repeat(SLATE_LENGTH)
    position = np.tile(np.arange(SLATE_LENGTH), slates)
    at_us = round(start.timestamp() * 1e6) + (begun + position) * 1_000_000
    impressions = pa.table(
        {
            "user_id": rng.integers(0, people, slates).repeat(SLATE_LENGTH),
            # a step through the catalogue, so that no slate has an item twice
            "item_id": (rng.integers(0, items, slates).repeat(SLATE_LENGTH) + position * 7) % items,
            "slate_id": np.arange(slates).repeat(SLATE_LENGTH),
            "occurred_at": pa.array(at_us, pa.timestamp("us", tz="UTC")),
            "position": position,
        }
    ).take(pa.array(rng.permutation(shown)))
    clicks = impressions.take(pa.array(rng.choice(shown, round(shown * CLICK_RATE), replace=False)))
    clicks = clicks.drop_columns(["position"]).append_column("action", pa.array(["open"] * len(clicks)))
    pq.write_table(impressions, folder / "impressions.parquet")
    pq.write_table(clicks, folder / "actions.parquet")
    return shown + len(clicks)


if __name__ == "__main__":
    app()
