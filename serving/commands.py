"""`photofeed serve` and `openapi`: run the API, or print its document."""

import os
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from granian import Granian

    from photofeed.settings import Settings

app = typer.Typer(help="Run the API.")

_HEADER_BYTES, _HEADER_SECONDS = 64 * 2**10, 15  # of the head of a request, and in which it must have arrived


@app.command("serve")
def serve() -> None:
    """Run the API until SIGTERM or Ctrl-C. Open requests are finished first."""
    # the arrays of a request are small, and the cores are shared by processes, not threads
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    from photofeed.settings import load_settings
    from serving.metrics_folder import metrics_folder

    settings = load_settings()
    _require_address(settings)
    with metrics_folder(settings.api_workers):
        _server(settings).serve()


def _require_address(settings: "Settings") -> None:
    """Granian ends with a backtrace if it cannot listen.

    Raises:
        InvalidError: the address is taken, or not one of this machine.
    """
    import socket

    from photofeed.errors import InvalidError

    try:
        family, kind, *_, address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as granian does
            probe.bind(address)
    except OSError as error:
        raise InvalidError(
            f"PHOTOFEED_HOST, PHOTOFEED_PORT: {settings.host}:{settings.port} cannot be used: {error.strerror}",
            code="settings",
        ) from error


def _server(settings: "Settings") -> "Granian":
    from granian import Granian
    from granian.constants import Interfaces, Loops
    from granian.http import HTTP1Settings, HTTP2Settings

    return Granian(
        "serving.main:make_app",
        factory=True,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        loop=Loops.uvloop,
        workers=settings.api_workers,
        websockets=False,
        http1_settings=HTTP1Settings(header_read_timeout=_HEADER_SECONDS * 1000, max_buffer_size=_HEADER_BYTES),
        http2_settings=HTTP2Settings(max_headers_size=_HEADER_BYTES),
        workers_kill_timeout=15,
        respawn_failed_workers=True,
        log_access=False,
    )


@app.command("openapi")
def openapi() -> None:
    """Print the OpenAPI document of the API, without the operations of development."""
    import json

    from photofeed.settings import load_settings
    from serving.app import create_app

    document = create_app(load_settings(needs_secrets=False).model_copy(update={"env": "production"})).openapi()
    typer.echo(json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False))
