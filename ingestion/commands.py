"""`photofeed work`: the ingestion workers from the command line."""

from enum import StrEnum
from typing import Annotated

import typer

from ingestion import (
    backup_commands,
    erasure_commands,
    feature_commands,
    import_commands,
    photo_commands,
    verify_commands,
)
from ingestion.consumer import dlq_commands

app = typer.Typer(help="Run an ingestion worker.")
app.registered_commands.extend(backup_commands.app.registered_commands)
app.registered_commands.extend(import_commands.app.registered_commands)
app.add_typer(photo_commands.app, name="photos")
app.add_typer(feature_commands.app, name="features")
app.add_typer(erasure_commands.app, name="erasure")
app.add_typer(dlq_commands.app, name="dlq")
app.registered_commands.extend(verify_commands.app.registered_commands)


class WorkerName(StrEnum):
    """The workers."""

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
def work(name: Annotated[WorkerName, typer.Argument(help="The worker.")]) -> None:
    """Run one worker until SIGTERM or Ctrl-C. It finishes the current batch first."""
    import threading

    import structlog

    from ingestion.bootstrap import open_worker
    from ingestion.consumer.worker import stop_on_signals
    from ingestion.management import management_port
    from ingestion.progress import Progress
    from ingestion.watchdog import watch
    from photofeed.logs import set_up_logs
    from photofeed.settings import load_settings
    from photofeed.tracing import tracing

    settings = load_settings()
    set_up_logs(settings)
    stop, progress = stop_on_signals(), Progress()
    log = structlog.get_logger(__name__)
    with (
        tracing(settings, f"photofeed-{name.value}"),
        management_port(settings, progress),
        open_worker(name.value, settings, stop, progress) as run,
    ):
        threading.Thread(target=watch, args=(progress, stop), name="watchdog", daemon=True).start()
        log.info("worker ready", worker=name.value)
        run()
    log.info("worker stopped", worker=name.value)


@app.command("pools")
def pools() -> None:
    """Build all pools of explore once; `photofeed work pools` builds them continuously."""
    from datetime import UTC, datetime

    from ingestion.bootstrap.feeds import open_pools
    from photofeed.settings import load_settings

    with open_pools(load_settings()) as worker:
        for kind, count in worker.build(datetime.now(UTC)).items():
            typer.echo(f"{kind}: {count}")
