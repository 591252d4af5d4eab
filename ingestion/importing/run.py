"""An import, stage by stage: read, look up, add people, items and follows, write events, compute features."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ingestion.bootstrap.engagement import CountingAlone, taking_over_features
from ingestion.importing.catalogue import add_follows, add_items, add_people, look_up
from ingestion.importing.content import write_content
from ingestion.importing.events import event_count, write_events
from ingestion.importing.files import InputFile, digest_of, find_files, load
from ingestion.importing.judged import Verdict, convert, judge, mentioned, refuse_deleted, verdict
from ingestion.importing.tables import FOLLOWS, ITEMS, TABLES, USERS
from photofeed import database
from photofeed.feature_store import load_counter_views
from photofeed.ids import IdGenerator
from photofeed.offline_store.lake import open_lake
from photofeed.offline_store.spilling import spilling
from photofeed.settings import Settings

if TYPE_CHECKING:
    import duckdb

Progress = Callable[[str, int, int], None]
"""Told the stage, how much of it is done, and how much there is."""

_DATABASE = "rows.duckdb"
_JOURNAL = "progress.json"


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What an import did.

    Attributes:
        verdicts: of each table.
        events: events in the lake.
        first, last: the times of the oldest and the newest event; None without events.
        report: the folder with the refused rows.
    """

    verdicts: list[Verdict]
    events: int
    first: datetime | None
    last: datetime | None
    report: Path

    @property
    def refused(self) -> int:
        """The number of refused rows."""
        return sum(each.refused for each in self.verdicts)


@dataclass(slots=True)
class Journal:
    """How far an import came, in a file of the report's folder. Without it an import is repeated, to the same end."""

    file: Path
    events: int = 0
    has_features: bool = False

    @classmethod
    def of(cls, report: Path) -> "Journal":
        """The journal in this folder; a new one if there is none."""
        file = report / _JOURNAL
        return cls(file, **json.loads(file.read_text())) if file.exists() else cls(file)

    def note(self, *, events: int | None = None, has_features: bool | None = None) -> None:
        """Change what is noted, in one step."""
        self.events = self.events if events is None else events
        self.has_features = self.has_features if has_features is None else has_features
        aside = self.file.with_suffix(".new")
        aside.write_text(json.dumps({"events": self.events, "has_features": self.has_features}))
        aside.replace(self.file)


def import_folder(settings: Settings, folder: Path, progress: Progress, report: Path | None = None) -> ImportResult:
    """Import the files of a folder. An interrupted import goes on where it ended; a finished one changes nothing.

    Args:
        settings: where the systems are.
        folder: with one file per table, see `photofeed.importing.tables`.
        progress: told how far it is.
        report: where refused rows and the journal go. Default: a folder of the files' digest in the state folder.

    Raises:
        InvalidError: a file cannot be read as a table of an import; nothing was changed.
        ConflictError: the features worker did not end, or the archive worker is behind it.
        RetryableError: a system cannot be reached.
    """
    files = find_files(folder)
    report = report or settings.state_dir / "imports" / digest_of(files)
    report.mkdir(parents=True, exist_ok=True)
    journal = Journal.of(report)
    with _checked_rows(settings, files, report, progress) as (connection, verdicts):
        lake, count = open_lake(settings), event_count(connection)

        def written(events: int) -> None:
            journal.note(events=events)
            progress("events", events, count)

        write_events(connection, lake, settings.bucket_lake, journal.events, written)
        if not journal.has_features:
            with taking_over_features(settings) as alone:
                _compute_features(connection, alone, progress)
            journal.note(has_features=True)
        first, last = _span(connection)
    return ImportResult(verdicts, count, first, last, report)


@contextmanager
def _checked_rows(
    settings: Settings, files: dict[str, InputFile], report: Path, progress: Progress
) -> "Iterator[tuple[duckdb.DuckDBPyConnection, list[Verdict]]]":
    """The rows of the files, judged, in a database on disk; their people, items and follows are in PostgreSQL."""
    import duckdb  # noqa: PLC0415  only imports need it

    rows, now = report / _DATABASE, datetime.now(UTC)
    rows.unlink(missing_ok=True)
    config = spilling(report, settings.duckdb_memory_mb) | {"preserve_insertion_order": True}
    try:
        with duckdb.connect(str(rows), config=config) as connection, database.pool(settings) as pool:
            connection.execute("set timezone = 'UTC'")
            for done, table in enumerate(TABLES):
                progress("files", done, len(TABLES))
                load(connection, files.get(table.name) or InputFile(table, report, ()))
                convert(connection, table, now)
            progress("files", len(TABLES), len(TABLES))
            yield connection, _judge_all(connection, pool, report, progress)
    finally:
        rows.unlink(missing_ok=True)


def _judge_all(
    connection: "duckdb.DuckDBPyConnection", pool: database.Database, report: Path, progress: Progress
) -> list[Verdict]:
    """Judge table after table: people first, because items, follows and events refer to them."""
    ids, verdicts = IdGenerator(), []
    for done, table in enumerate(TABLES):
        progress("rows", done, len(TABLES))
        judge(connection, table)
        if table is USERS:
            add_people(connection, pool, ids)
        elif table is ITEMS:
            add_items(connection, pool, ids)
        elif table is FOLLOWS:
            add_follows(connection, pool)
        for kind in (USERS, ITEMS):
            if table is kind:
                look_up(connection, pool, kind.name, mentioned(connection, kind.name, list(TABLES)))
        if table is USERS:
            refuse_deleted(connection)
        verdicts.append(verdict(connection, table, report))
    progress("rows", len(TABLES), len(TABLES))
    return verdicts


def _compute_features(connection: "duckdb.DuckDBPyConnection", alone: CountingAlone, progress: Progress) -> None:
    """Recompute every counter view from all engagement, then the content of items."""
    views = [view.name for view in load_counter_views(alone.store)]
    for done, name in enumerate(views):
        progress("features", done, len(views) + 1)
        alone.backfill(name)
    write_content(connection, alone)
    alone.remember_imports()
    progress("features", len(views) + 1, len(views) + 1)


def _span(connection: "duckdb.DuckDBPyConnection") -> tuple[datetime | None, datetime | None]:
    row = connection.execute(
        """select make_timestamptz(min(occurred_at)), make_timestamptz(max(occurred_at)) from (
            select occurred_at from judged_impressions where reason is null
            union all select occurred_at from judged_actions where reason is null)"""
    ).fetchone()
    return (None, None) if row is None else (row[0], row[1])
