import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from photofeed.embedded import http_probe
from photofeed.embedded.errors import NotReadyError
from photofeed.embedded.ports import LOOPBACK


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"ready" if self.path == "/health" else b"migrating"
        self.send_response(200 if self.path == "/health" else 503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def server() -> Iterator[str]:
    with HTTPServer((LOOPBACK, 0), _Answers) as http:
        thread = Thread(target=http.serve_forever)
        thread.start()
        yield f"http://{LOOPBACK}:{http.server_address[1]}"
        http.shutdown()
        thread.join()


def test_a_healthy_server_is_ready_and_its_answer_is_returned(server: str) -> None:
    assert http_probe.get(f"{server}/health") == b"ready"


def test_a_server_that_answers_otherwise_is_not_ready_and_says_why(server: str) -> None:
    with pytest.raises(NotReadyError, match="HTTP 503: migrating"):
        http_probe.get(server)


def test_where_nothing_listens_nothing_is_ready() -> None:
    with HTTPServer((LOOPBACK, 0), _Answers) as http:
        port = http.server_address[1]
    with pytest.raises(NotReadyError, match="refused"):
        http_probe.get(f"http://{LOOPBACK}:{port}/health")


def test_a_server_that_speaks_something_else_is_not_ready() -> None:
    with socket.create_server((LOOPBACK, 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(b"220 mail.example ESMTP\r\n")

        thread = Thread(target=answer)
        thread.start()
        with pytest.raises(NotReadyError, match="220 mail"):
            http_probe.get(f"http://{LOOPBACK}:{listener.getsockname()[1]}/health")
        thread.join()
