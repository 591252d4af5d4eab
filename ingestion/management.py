"""The management port of a worker: `/healthz`, `/readyz` and `/metrics`."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson
import structlog
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from ingestion.progress import Progress
from photofeed.errors import InvalidError
from photofeed.settings import Settings

log = structlog.get_logger(__name__)


@contextmanager
def management_port(settings: Settings, progress: Progress) -> Iterator[int]:
    """Serve the port while the context is open; yields its number.

    Raises:
        InvalidError: the port of the settings is taken.
    """
    address = (settings.management_host, settings.management_port)
    try:
        server = ThreadingHTTPServer(address, _handler(progress))
    except OSError as error:
        raise InvalidError(
            f"PHOTOFEED_MANAGEMENT_PORT: {address[0]}:{address[1]} cannot be used: {error.strerror}", code="settings"
        ) from error
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, name="management", daemon=True)
    thread.start()
    log.info("management port", host=address[0], port=server.server_port)
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(progress: Progress) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, media_type, body = _reply(progress, self.path.partition("?")[0])
            self.send_response(status)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815  the name that http.server calls

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class names it
            """A probe every few seconds is not worth a line."""

    return Handler


def _reply(progress: Progress, path: str) -> tuple[HTTPStatus, str, bytes]:
    """Status, media type and body of a reply."""
    if path == "/metrics":
        return HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest()
    stuck = progress.stuck()
    if path == "/healthz":
        good, word = stuck is None, "ok"
    elif path == "/readyz":
        good, word = progress.is_ready, "ready"
    else:
        return HTTPStatus.NOT_FOUND, "text/plain", b"/healthz, /readyz, /metrics\n"
    status = word if good else "stuck" if stuck else "waiting" if progress.waits_for else "starting"
    body = orjson.dumps({"status": status, "reason": stuck, **progress.report()})
    return HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE, "application/json", body
