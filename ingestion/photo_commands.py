"""`photofeed photos`: commands for operators."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Photos: process one file, clean up abandoned uploads, verify deletions.", no_args_is_help=True)

REFUSED = 2


@app.command("process")
def process(
    file: Annotated[Path, typer.Argument(help="The photo.", exists=True, dir_okay=False, readable=True)],
    out: Annotated[Path, typer.Option(help="Folder for the variants; created if missing.", file_okay=False)],
) -> None:
    """Run the photo path on one file without any server, and print JSON. Exit code 2 if the photo is refused."""
    import orjson

    from ingestion.photos.hash_list import hash_list_of
    from ingestion.photos.moderation import moderator_of
    from ingestion.photos.one_file import process_file
    from photofeed.errors import PermanentError
    from photofeed.settings import load_settings

    settings = load_settings(needs_secrets=False)
    try:
        outcome = process_file(file, out, settings, moderator_of(settings), hash_list_of(settings))
    except OSError as error:
        raise PermanentError(f"{error.filename or file}: {error.strerror or error}") from error
    typer.echo(orjson.dumps(outcome, option=orjson.OPT_INDENT_2).decode())
    if outcome["status"] in ("failed", "rejected"):
        raise typer.Exit(REFUSED)


@app.command("sweep")
def sweep() -> None:
    """Clean up once: expired uploads, incomplete multipart uploads, stuck photos, unfinished deletions."""
    from dataclasses import asdict
    from datetime import UTC, datetime

    from ingestion.bootstrap.removal import open_sweeper
    from photofeed.logs import set_up_logs
    from photofeed.settings import load_settings

    settings = load_settings()
    set_up_logs(settings)
    with open_sweeper(settings) as sweeper:
        counts = sweeper.sweep(datetime.now(UTC))
    typer.echo(", ".join(f"{kind.replace('_', ' ')}: {count}" for kind, count in asdict(counts).items()))


@app.command("verify")
def verify(
    photo_id: Annotated[
        str | None, typer.Argument(help="The id of a deleted photo; all deleted photos if it is left out.")
    ] = None,
) -> None:
    """List what is left of deleted photos: id, kind and name, tab-separated. Exit code 1 if there is anything."""
    from ingestion.bootstrap.removal import open_leftovers
    from photofeed.ids import decode_id
    from photofeed.settings import load_settings

    with open_leftovers(load_settings()) as leftovers:
        found = list(leftovers.of_all() if photo_id is None else leftovers.of(decode_id(photo_id)))
    for leftover in found:
        typer.echo(str(leftover))
    if found:
        raise typer.Exit(1)
    typer.echo("nothing is left", err=True)
