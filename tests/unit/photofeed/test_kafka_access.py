"""Before a process waits for Kafka it learns whether certificates are refused."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socketserver import BaseRequestHandler, TCPServer
from types import SimpleNamespace
from typing import Any

import pytest

from photofeed import kafka_access
from photofeed.errors import InvalidError
from photofeed.kafka_access import check_access
from photofeed.settings import Settings
from tools.kafka.certificates import Certificates, write_certificates


class _Silent(BaseRequestHandler):
    """Reads until the client goes."""

    def handle(self) -> None:
        self.request.recv(1)


class _Quiet(TCPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A refused handshake is no error of the test."""


@contextmanager
def _broker(files: Certificates, chain: Path, *, asks: bool = False) -> Iterator[str]:
    """Something that speaks TLS as a broker does; its address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    if asks:
        context.load_verify_locations(files.authority)
        context.verify_mode = ssl.CERT_REQUIRED
    with _Quiet(("127.0.0.1", 0), _Silent) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def _settings(servers: str, authority: Path, **changes: Any) -> Settings:
    known = {"kafka_bootstrap_servers": servers, "kafka_security_protocol": "SSL", "kafka_ca_file": authority}
    return Settings.model_validate(known | changes)


@pytest.fixture
def files(tmp_path: Path) -> Certificates:
    return write_certificates(tmp_path)


def test_a_certificate_of_the_authority_is_accepted(files: Certificates) -> None:
    with _broker(files, files.broker) as servers:
        check_access(_settings(servers, files.authority))


def test_a_certificate_that_has_ended_is_told(files: Certificates) -> None:
    with _broker(files, files.expired) as servers, pytest.raises(InvalidError, match="certificate has expired") as told:
        check_access(_settings(servers, files.authority))
    assert servers in str(told.value)
    assert "\n" not in str(told.value)


def test_a_certificate_of_another_authority_is_told(files: Certificates, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = write_certificates(tmp_path / "other")
    with _broker(files, files.broker) as servers, pytest.raises(InvalidError, match="PHOTOFEED_KAFKA_CA_FILE"):
        check_access(_settings(servers, other.authority))


def test_a_missing_client_certificate_is_told(files: Certificates) -> None:
    with _broker(files, files.broker, asks=True) as servers:
        with pytest.raises(InvalidError, match="PHOTOFEED_KAFKA_CLIENT_CERTIFICATE"):
            check_access(_settings(servers, files.authority))
        own = {"kafka_client_certificate": files.client, "kafka_client_key": files.client_key}
        check_access(_settings(servers, files.authority, **own))


def test_brokers_that_are_away_refuse_nothing(files: Certificates) -> None:
    check_access(_settings("127.0.0.1:1,127.0.0.1:2", files.authority))


def test_one_broker_with_a_wrong_certificate_is_told_beside_others_that_are_away(files: Certificates) -> None:
    with _broker(files, files.expired) as servers, pytest.raises(InvalidError, match="expired"):
        check_access(_settings(f"127.0.0.1:1,{servers}", files.authority))


class Answers:
    """What a broker answers to one request after the other; it remembers them."""

    def __init__(self, *answers: SimpleNamespace) -> None:
        self.asked: list[Any] = []
        self._left = list(answers)

    def __call__(self, _protocol: object, _connection: object, request: Any) -> SimpleNamespace:
        self.asked.append(request)
        return self._left.pop(0)


OFFERED = SimpleNamespace(error_code=0, mechanisms=["PLAIN"])
WELCOME = SimpleNamespace(error_code=0, error_message=None, auth_bytes=b"")


def _log_in(monkeypatch: pytest.MonkeyPatch, *answers: SimpleNamespace) -> Answers:
    """Log in by PLAIN at a broker that gives these answers."""
    asked = Answers(*answers)
    monkeypatch.setattr(kafka_access, "_ask", asked)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        known = {
            "kafka_bootstrap_servers": f"127.0.0.1:{listener.getsockname()[1]}",
            "kafka_security_protocol": "SASL_PLAINTEXT",
            "kafka_sasl_mechanism": "PLAIN",
            "kafka_sasl_username": "feed",
            "kafka_sasl_password": "secret",
        }
        check_access(Settings.model_validate(known))
    return asked


def test_a_login_that_the_broker_accepts_refuses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    handshake, login = _log_in(monkeypatch, OFFERED, WELCOME).asked
    assert handshake.mechanism == "PLAIN"
    assert login.auth_bytes.split(b"\0")[1:] == [b"feed", b"secret"]


def test_a_mechanism_that_the_broker_does_not_offer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    offered = SimpleNamespace(error_code=33, mechanisms=["SCRAM-SHA-256", "SCRAM-SHA-512"])
    with pytest.raises(InvalidError, match="MECHANISM=PLAIN: it offers SCRAM-SHA-256, SCRAM-SHA-512"):
        _log_in(monkeypatch, offered, WELCOME)


def test_a_login_that_the_broker_refuses_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = SimpleNamespace(error_code=58, error_message="Authentication failed", auth_bytes=b"")
    with pytest.raises(InvalidError, match=r"refuses the login of feed \(Authentication failed\)") as told:
        _log_in(monkeypatch, OFFERED, refused)
    assert "secret" not in str(told.value)


@pytest.mark.parametrize("protocol", ["SASL_PLAINTEXT", "SASL_SSL", "SSL"])
def test_a_broker_that_hangs_up_during_the_login_refuses_nothing(protocol: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            connection = listener.accept()[0]
            connection.recv(65_536)
            connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        known = {
            "kafka_bootstrap_servers": f"127.0.0.1:{listener.getsockname()[1]}",
            "kafka_security_protocol": protocol,
            "kafka_sasl_username": "feed",
            "kafka_sasl_password": "secret",
        }
        check_access(Settings.model_validate(known))
        thread.join()


def test_nothing_is_asked_of_brokers_without_tls_and_login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: pytest.fail("asked"))
    check_access(Settings(kafka_bootstrap_servers="127.0.0.1:1"))
