"""The API of a test on a port of 127.0.0.1, for servers that are put in front of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

from fastapi.testclient import TestClient

from tools.listening import running_handler

_OF_ONE_CONNECTION = frozenset({"connection", "transfer-encoding", "host"})


@contextmanager
def listening(http: TestClient) -> Iterator[int]:
    """The port on which the application of a client answers GET and HEAD while the context is open."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            sent = {name: value for name, value in self.headers.items() if name.lower() not in _OF_ONE_CONNECTION}
            reply = http.request(self.command, self.path, headers=sent)
            self.send_response(reply.status_code)
            for name, value in reply.headers.multi_items():
                if name not in _OF_ONE_CONNECTION | {"content-length"}:
                    self.send_header(name, value)
            if reply.status_code != 304:
                self.send_header("Content-Length", reply.headers.get("content-length", str(len(reply.content))))
            self.end_headers()
            self.wfile.write(reply.content)

        do_HEAD = do_GET  # noqa: N815  the name that http.server calls

        def log_message(self, *_: object) -> None:
            """Tests print nothing."""

    with running_handler(Handler) as port:
        yield port
