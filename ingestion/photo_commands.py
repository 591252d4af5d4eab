"""`photofeed photos`: what operators do about photos."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Photos: run the photo path on one file.", no_args_is_help=True)

REFUSED = 2


@app.callback()
def photos() -> None:
    """Make `process` a command of its own, also while it is the only one."""


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
