"""`photofeed features rebuild` and `compact`: what keeps online features and their history in order."""

import typer

app = typer.Typer(help="Features.")


@app.command("rebuild")
def rebuild() -> None:
    """Restore every online feature from its history, into a Redis that was emptied or lost rows.

    Stop the features worker first: it would go on from nothing for whom it finds no row.
    """
    from photofeed import database  # noqa: PLC0415  `photofeed --help` stays fast
    from photofeed.errors import ConflictError  # noqa: PLC0415
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
                rebuilt = rebuild_online(store, open_lake(settings), client)
        finally:
            close_feature_store(store)
    for view, entities in rebuilt.items():
        typer.echo(f"{view}\t{entities}")


@app.command("compact")
def compact() -> None:
    """Merge the small parts of the lake now; the archive worker does so all the time."""
    from photofeed.offline_store.compaction import Compaction  # noqa: PLC0415
    from photofeed.offline_store.lake import open_lake  # noqa: PLC0415
    from photofeed.settings import load_settings  # noqa: PLC0415

    settings = load_settings()
    merged = Compaction(open_lake(settings), settings.bucket_lake, fewest_parts=2).compact()
    typer.echo(f"{merged} parts merged")
