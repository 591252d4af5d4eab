"""`photofeed work`: the ingestion workers from the command line."""

from enum import StrEnum

import typer

from ingestion import feature_commands, photo_commands

app = typer.Typer(help="Run an ingestion worker.")
app.add_typer(photo_commands.app, name="photos")
app.add_typer(feature_commands.app, name="features")


class WorkerName(StrEnum):
    """The workers there are."""

    RELAY = "relay"
    PHOTOS = "photos"
    ZOOM = "zoom"
    FEATURES = "features"
    FANOUT = "fanout"
    ARCHIVE = "archive"
    PURGE = "purge"
    REMOVAL = "removal"
    SWEEPER = "sweeper"
    POOLS = "pools"


@app.command("work")
def work(name: WorkerName) -> None:
    """Run one worker until it is told to stop (SIGTERM or Ctrl-C); it drains first."""
    import structlog  # noqa: PLC0415  `photofeed --help` stays fast

    from ingestion.bootstrap import open_worker  # noqa: PLC0415
    from photofeed.logs import set_up_logs  # noqa: PLC0415
    from photofeed.settings import load_settings  # noqa: PLC0415
    from photofeed.worker import stop_on_signals  # noqa: PLC0415

    settings = load_settings()
    set_up_logs(settings)
    stop = stop_on_signals()
    log = structlog.get_logger(__name__)
    with open_worker(name.value, settings, stop) as run:
        log.info("worker ready", worker=name.value)
        run()
    log.info("worker stopped", worker=name.value)


@app.command("pools")
def pools() -> None:
    """Build the pools of explore once, all kinds; `photofeed work pools` does so all the time."""
    from datetime import UTC, datetime  # noqa: PLC0415

    from ingestion.bootstrap.feeds import open_pools  # noqa: PLC0415
    from photofeed.settings import load_settings  # noqa: PLC0415

    with open_pools(load_settings()) as worker:
        for kind, count in worker.build(datetime.now(UTC)).items():
            typer.echo(f"{kind}: {count}")
