"""Posting to addresses of strangers: public ones only, no redirects, and never for long."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpcore
import pytest

from ingestion.webhooks import post as module
from ingestion.webhooks.post import NotSentError, PrivateAddressError, is_public, post
from tests.doubles.clock import Clock
from tests.doubles.module_time import patch_time


@contextmanager
def _server(answer: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """A server that reads a request, answers these bytes and keeps the connection open."""
    requests: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def serve() -> None:
        while not ended.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            requests.append(connection.recv(65_536))
            connection.sendall(answer)
            ended.wait()
            connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/hook", requests
    finally:
        ended.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.0.0.7", "172.16.3.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"),  # noqa: S104
        *("::1", "::", "fe80::1%eth0", "fc00::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "224.0.0.1", "ff02::1"),
    ],
)
def test_addresses_inside_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "::ffff:93.184.215.14"])
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f.1", "2130706433", "[::1]"])
def test_no_spelling_of_a_private_address_is_called(host: str) -> None:
    with _server(b"HTTP/1.1 204 No Content\r\n\r\n") as (url, requests):
        port = url.rsplit(":", 1)[1]
        with pytest.raises(PrivateAddressError):
            post(f"http://{host}:{port}", b"{}", {}, allow_private=False)
        assert requests == []


def test_a_name_that_resolves_to_a_private_address_among_others_is_not_called(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 80)) for ip in ("93.184.215.14", "10.0.0.7")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(PrivateAddressError):
        post("http://app.example/hook", b"{}", {}, allow_private=False)


def test_a_redirect_is_an_answer_and_not_followed() -> None:
    answer = b"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    with _server(answer) as (url, requests):
        assert post(url, b'{"a":1}', {"webhook-id": "msg_1"}, allow_private=True) == 307
    assert len(requests) == 1
    assert b"webhook-id: msg_1" in requests[0].lower()


def test_the_rest_of_an_endless_reply_is_not_read() -> None:
    with _server(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\nbegin") as (url, _):
        assert post(url, b"{}", {}, allow_private=True) == 200


def test_a_receiver_that_never_finishes_its_headers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS", 0.2)
    with _server(b"HTTP/1.1 200 OK\r\nX-Slow: ") as (url, _), pytest.raises(NotSentError):
        post(url, b"{}", {}, allow_private=True)


def test_the_time_is_limited_in_all_and_not_for_each_read(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, allowed = Clock(), list[float | None]()
    patch_time(monkeypatch, module, monotonic=clock)

    class Drops(httpcore.MockStream):
        """Sends a byte of an endless header, five seconds after it was asked for more."""

        def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002  the interface
            allowed.append(timeout)
            clock.now += 5.0
            return b"x"

    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", lambda *_: Drops([]))
    with pytest.raises(NotSentError, match="no reply within 15 s"):
        post("http://127.0.0.1/hook", b"{}", {}, allow_private=True)
    assert allowed == [15.0, 10.0, 5.0]


def test_a_closed_port_and_an_unknown_name_are_not_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for url in (f"http://127.0.0.1:{port}/", "http://nothing.invalid/"):
        with pytest.raises(NotSentError):
            post(url, b"{}", {}, allow_private=True)


def test_the_body_arrives_as_it_was_signed() -> None:
    bodies: list[bytes] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/hook"
        assert post(url, '{"text":"ä"}'.encode(), {}, allow_private=True) == 204
    finally:
        thread.join()
        server.server_close()
    assert bodies == ['{"text":"ä"}'.encode()]
