"""`photofeed serve`: the API from the command line."""

import os

import typer

app = typer.Typer(help="Serve the API.")


@app.command("serve")
def serve() -> None:
    """Serve the API until told to stop (SIGTERM or Ctrl-C); open requests are finished first."""
    # arrays of a request are small, and processes, not threads, share the cores
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    from granian import Granian  # noqa: PLC0415  `photofeed --help` stays fast
    from granian.constants import Interfaces, Loops  # noqa: PLC0415

    from photofeed.settings import load_settings  # noqa: PLC0415

    settings = load_settings()
    Granian(
        "serving.main:make_app",
        factory=True,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        loop=Loops.uvloop,
        workers=settings.api_workers,
        websockets=False,
        workers_kill_timeout=15,
        respawn_failed_workers=True,
        log_access=False,
    ).serve()
