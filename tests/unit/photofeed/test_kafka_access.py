"""Before a process waits for Kafka it learns whether certificates are refused."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socketserver import BaseRequestHandler, TCPServer
from typing import Any

import pytest

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
