"""`photofeed features rebuild`, `backfill`, `compact` and `quarantine`: maintenance of features and their history."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

app = typer.Typer(help="Features.")


@app.command("rebuild")
def rebuild() -> None:
    """Restore all online features from their history after Redis was emptied or lost rows.

    This also restores which events have been counted and credited, from the event log and the lake, and what people
    hid, liked and saw, from the lake. Stop the features worker first: it would count from zero for entities without a
    row.
    """
    from ingestion.bootstrap.engagement import engagement_pipeline, restore_features
    from photofeed import database
    from photofeed.counted_ids import counting_partitions
    from photofeed.errors import ConflictError
    from photofeed.feature_store import close_feature_store, open_feature_store
    from photofeed.redis_client import connect_redis
    from photofeed.settings import load_settings

    settings = load_settings()
    with database.connect(settings) as connection:
        if not database.try_leadership(connection, database.FEATURES_LEADER):
            raise ConflictError("the features worker is running: stop it, rebuild, and start it again")
        store = open_feature_store(settings)
        try:
            with connect_redis(settings) as client:
                pipelines = [
                    engagement_pipeline(settings, store, client, partition=partition)
                    for partition in counting_partitions(settings)
                ]
                restored = restore_features(settings, store, client, pipelines)
        finally:
            close_feature_store(store)
    for view, entities in restored.entities.items():
        typer.echo(f"{view}\t{entities}")
    typer.echo(
        f"restored: {restored.counted} counted events; {restored.remembered} events of what people hid, liked or saw",
        err=True,
    )


@app.command("backfill")
def backfill(
    view: Annotated[str, typer.Argument(help="A counter view, by its name in `photofeed features list`.")],
) -> None:
    """Recompute the history and the online rows of a counter view from all engagement in the lake.

    Needed after a view is added or changed: without it, the view only counts events since then. Stop the features
    worker first.
    """
    from ingestion.bootstrap.engagement import backfill_view
    from photofeed.settings import load_settings

    done = backfill_view(load_settings(), view)
    typer.echo(f"{view}\t{done.rows} rows of history\t{done.entities} entities online")


@app.command("compact")
def compact() -> None:
    """Merge the small parts of the lake now; the archive worker merges them continuously."""
    from photofeed.offline_store.compaction import Compaction
    from photofeed.offline_store.lake import open_lake
    from photofeed.settings import load_settings

    settings = load_settings()
    merged = Compaction(open_lake(settings), settings.bucket_lake, fewest_parts=2).compact()
    typer.echo(f"{merged} parts merged")


@app.command("quarantine")
def quarantine(
    days: Annotated[float, typer.Option(help="How far to look back.", min=0.001)] = 7.0,
    limit: Annotated[int, typer.Option(help="How many rows to show at most, the newest.", min=1)] = 50,
) -> None:
    """Show rows that violate the contract of their table: time, table, reason and row, tab-separated."""
    from photofeed.offline_store.lake import open_lake
    from photofeed.offline_store.quarantine import quarantined
    from photofeed.settings import load_settings

    settings = load_settings()
    rows = quarantined(open_lake(settings), settings.bucket_lake, datetime.now(UTC) - timedelta(days=days))
    for row in rows.slice(max(len(rows) - limit, 0)).to_pylist():
        typer.echo(f"{row['quarantined_at']:%Y-%m-%dT%H:%M:%SZ}\t{row['table']}\t{row['reason']}\t{row['row']}")
    typer.echo(f"{len(rows)} rows in quarantine", err=True)
