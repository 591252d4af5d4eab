"""`photofeed import`: somebody's own data from the command line."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Import data.")


@app.command("import")
def import_(
    folder: Annotated[Path, typer.Argument(help="A folder with users, items, follows, impressions and actions.")],
    report: Annotated[
        Path | None, typer.Option(help="Where refused rows are written. Default: a folder in the state folder.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Import people, items, follows, impressions and actions of any age from CSV or Parquet files.

    Refused rows are written to files with their reasons; the others are imported. An interrupted import goes on where
    it ended, and importing the same again changes nothing. The features worker hands over while features are computed.
    """
    import json

    from ingestion.importing.run import import_folder
    from photofeed.logs import set_up_logs
    from photofeed.settings import load_settings

    settings = load_settings()
    set_up_logs(settings)
    done = import_folder(settings, folder, _show, report)
    if as_json:
        tables = {each.table: {"taken": each.taken, "refused": each.reasons} for each in done.verdicts}
        span = [moment and moment.isoformat() for moment in (done.first, done.last)]
        typer.echo(json.dumps({"tables": tables, "events": done.events, "span": span, "report": str(done.report)}))
        return
    for each in done.verdicts:
        typer.echo(f"{each.table}\t{each.taken} imported\t{each.refused} refused")
        for reason, count in each.reasons.items():
            typer.echo(f"{each.table}\t{count}\t{reason}")
    if done.refused:
        typer.echo(f"refused rows: {done.report}", err=True)
    if done.first and done.last:
        days = (done.last - done.first).days + 1
        typer.echo(f"learn from it: photofeed train --until {done.last:%Y-%m-%dT%H:%M:%S} --days {days}", err=True)


def _show(stage: str, done: int, of: int) -> None:
    typer.echo(f"{stage}\t{done} of {of}", err=True)
