"""`photofeed backup` and `photofeed restore`."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Back up and restore.")


@app.command("backup")
def backup(
    folder: Annotated[Path, typer.Argument(help="A new or empty folder.")],
    without_mlflow: Annotated[bool, typer.Option(help="Leave MLflow out, because it is backed up by itself.")] = False,
) -> None:
    """Write PostgreSQL, object storage, MLflow, Kafka and its offsets to a folder, at one consistent point.

    Everything goes on meanwhile; only the features worker waits while the last objects are copied. The passwords and
    keys of the settings are not in a backup. The data of people is: keep it as safe as the systems.
    """
    from photofeed.logs import set_up_logs
    from photofeed.settings import load_settings

    settings = load_settings()
    set_up_logs(settings)  # before kafka-python is imported, which warns
    from ingestion.backup.make import back_up

    manifest = back_up(settings, folder, _show, mlflow=not without_mlflow)
    for name, counts in manifest.counts.items():
        typer.echo(f"{name}\t{sum(counts.values())}")
    typer.echo(f"{folder}\tas of {manifest.made_at}")


@app.command("restore")
def restore(
    folder: Annotated[Path, typer.Argument(help="The folder of a backup.")],
    erased: Annotated[
        Path | None,
        typer.Option(help="List of accounts deleted since, from `photofeed erasure list`; they are deleted again."),
    ] = None,
) -> None:
    """Restore a backup into empty systems, and rebuild the features in Redis. No API and no worker may run.

    Everything is checked first: a backup of another version, a damaged one, or systems with data are refused.
    """
    from photofeed.logs import set_up_logs
    from photofeed.settings import load_settings

    settings = load_settings()
    set_up_logs(settings)  # before kafka-python is imported, which warns
    from ingestion.backup.restore import read_erased
    from ingestion.backup.restore import restore as restore_into

    people = read_erased(erased) if erased else []
    done = restore_into(settings, folder, _show, people)
    typer.echo(f"rows\t{done.rows}\nobjects\t{done.objects}\nmessages\t{done.messages}")
    typer.echo(f"counted events\t{done.counted}\naccounts deleted again\t{done.erased}")
    typer.echo("start the workers and the API; timelines come back by themselves", err=True)


def _show(step: str) -> None:
    typer.echo(step, err=True)
