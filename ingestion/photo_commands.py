"""`photofeed photos`: what operators do about photos."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Photos: run the path on one file, sweep what was left behind, prove what was deleted.", no_args_is_help=True
)

REFUSED = 2


@app.command("process")
def process(
    file: Annotated[Path, typer.Argument(help="The photo.", exists=True, dir_okay=False, readable=True)],
    out: Annotated[Path, typer.Option(help="Folder for the variants; made if need be.", file_okay=False)],
) -> None:
    """Run the photo path on one file, without any server; prints JSON. Exit code 2 if the photo is refused."""
    import orjson  # noqa: PLC0415  `photofeed --help` stays fast

    from ingestion.photos.moderation import OpenNsfwModerator  # noqa: PLC0415
    from ingestion.photos.one_file import process_file  # noqa: PLC0415
    from photofeed.errors import PermanentError  # noqa: PLC0415
    from photofeed.settings import load_settings  # noqa: PLC0415

    try:
        outcome = process_file(file, out, load_settings(), OpenNsfwModerator())
    except OSError as error:
        raise PermanentError(f"{error.filename or file}: {error.strerror or error}") from error
    typer.echo(orjson.dumps(outcome, option=orjson.OPT_INDENT_2).decode())
    if outcome["status"] in ("failed", "rejected"):
        raise typer.Exit(REFUSED)


@app.command("sweep")
def sweep() -> None:
    """Sweep once: expired uploads, multipart leftovers, stuck photos, deletions to finish."""
    from dataclasses import asdict  # noqa: PLC0415  `photofeed --help` stays fast
    from datetime import UTC, datetime  # noqa: PLC0415

    from ingestion.bootstrap.removal import open_sweeper  # noqa: PLC0415
    from photofeed.logs import set_up_logs  # noqa: PLC0415
    from photofeed.settings import load_settings  # noqa: PLC0415

    settings = load_settings()
    set_up_logs(settings)
    with open_sweeper(settings) as sweeper:
        swept = sweeper.sweep(datetime.now(UTC))
    typer.echo(", ".join(f"{kind.replace('_', ' ')}: {count}" for kind, count in asdict(swept).items()))


@app.command("verify")
def verify(
    photo_id: Annotated[
        str | None, typer.Argument(help="A deleted photo; without it, every one there ever was.")
    ] = None,
) -> None:
    """Say what is left of deleted photos: id, place, name; tab-separated. Exit code 1 if anything is."""
    from ingestion.bootstrap.removal import open_leftovers  # noqa: PLC0415
    from photofeed.ids import decode_id  # noqa: PLC0415
    from photofeed.settings import load_settings  # noqa: PLC0415

    with open_leftovers(load_settings()) as leftovers:
        found = list(leftovers.of_all() if photo_id is None else leftovers.of(decode_id(photo_id)))
    for leftover in found:
        typer.echo(str(leftover))
    if found:
        raise typer.Exit(1)
    typer.echo("nothing is left", err=True)
