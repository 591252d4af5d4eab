"""`photofeed features rebuild`, `backfill`, `compact` and `quarantine`: what keeps features in order."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

app = typer.Typer(help="Features.")


@app.command("rebuild")
def rebuild() -> None:
    """Restore every online feature from its history, into a Redis that was emptied or lost rows.

    Which events were counted is remembered again, too, from the event log, and from the lake what people hid, liked and
    saw. The features worker has stopped by then, or is to be stopped: it would count from nothing for whom it finds no
    row.
    """
    from ingestion.bootstrap.engagement import engagement_pipeline  # noqa: PLC0415  `photofeed --help` stays fast
    from ingestion.engagement.committed_log import remember_committed  # noqa: PLC0415
    from ingestion.engagement.remembered_people import remember_people  # noqa: PLC0415
    from photofeed import database  # noqa: PLC0415
    from photofeed.errors import ConflictError  # noqa: PLC0415
    from photofeed.event_log import KafkaReader  # noqa: PLC0415
    from photofeed.feature_store import close_feature_store, open_feature_store  # noqa: PLC0415
    from photofeed.offline_store.lake import open_lake  # noqa: PLC0415
    from photofeed.offline_store.rebuild import rebuild_online  # noqa: PLC0415
    from photofeed.settings import load_settings  # noqa: PLC0415
    from photofeed.timelines import connect_redis  # noqa: PLC0415

    settings = load_settings()
    with database.connect(settings) as connection:
        if not database.try_to_lead(connection, database.FEATURES_LEADER):
            raise ConflictError("the features worker is running: stop it, rebuild, and start it again")
        store = open_feature_store(settings)
        try:
            with connect_redis(settings) as client:
                lake, pipeline = open_lake(settings), engagement_pipeline(settings, store, client)
                remembered = remember_committed(KafkaReader(settings), pipeline.counted) + pipeline.finish_push()
                people = remember_people(lake, settings.bucket_lake, pipeline.memory, datetime.now(UTC))
                rebuilt = rebuild_online(store, lake, client)
        finally:
            close_feature_store(store)
    for view, entities in rebuilt.items():
        typer.echo(f"{view}\t{entities}")
    typer.echo(f"{remembered} events remembered as counted, {people} as hidden, liked or seen", err=True)


@app.command("backfill")
def backfill(
    view: Annotated[str, typer.Argument(help="A view of counters, as `photofeed features list` shows it.")],
) -> None:
    """Recompute a view of counters, history and online rows, from all engagement in the lake.

    For a view that is new or was changed: until then it has counted only since. Stop the features worker first.
    """
    from ingestion.bootstrap.engagement import backfill_view  # noqa: PLC0415  `photofeed --help` stays fast
    from photofeed.settings import load_settings  # noqa: PLC0415

    done = backfill_view(load_settings(), view)
    typer.echo(f"{view}\t{done.rows} rows of history\t{done.entities} entities online")


@app.command("compact")
def compact() -> None:
    """Merge the small parts of the lake now; the archive worker does so all the time."""
    from photofeed.offline_store.compaction import Compaction  # noqa: PLC0415
    from photofeed.offline_store.lake import open_lake  # noqa: PLC0415
    from photofeed.settings import load_settings  # noqa: PLC0415

    settings = load_settings()
    merged = Compaction(open_lake(settings), settings.bucket_lake, fewest_parts=2).compact()
    typer.echo(f"{merged} parts merged")


@app.command("quarantine")
def quarantine(
    days: Annotated[float, typer.Option(help="How far to look back.", min=0.001)] = 7.0,
    limit: Annotated[int, typer.Option(help="Most rows to show, the newest.", min=1)] = 50,
) -> None:
    """Show rows that broke the contract of their table: when, which table, why, and the row."""
    from photofeed.offline_store.lake import open_lake  # noqa: PLC0415
    from photofeed.offline_store.quarantine import quarantined  # noqa: PLC0415
    from photofeed.settings import load_settings  # noqa: PLC0415

    settings = load_settings()
    rows = quarantined(open_lake(settings), settings.bucket_lake, datetime.now(UTC) - timedelta(days=days))
    for row in rows.slice(max(len(rows) - limit, 0)).to_pylist():
        typer.echo(f"{row['quarantined_at']:%Y-%m-%dT%H:%M:%SZ}\t{row['table']}\t{row['reason']}\t{row['row']}")
    typer.echo(f"{len(rows)} rows in quarantine", err=True)
