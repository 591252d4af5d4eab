"""Whether the brokers accept the certificates and the login of the settings: if they refuse, waiting does not help.

kafka-python tries again for ever after a refusal, and then only says that it could not bootstrap. It also loses the
answer of a broker that refuses a login and closes the connection at once.
"""

import socket
import ssl
from typing import Any

from photofeed.errors import InvalidError
from photofeed.kafka_client import connection_options
from photofeed.kafka_publisher import KafkaPublisher
from photofeed.settings import Settings

_CONNECT_SECONDS, _ALERT_SECONDS = 5.0, 0.5
_HANDSHAKE_VERSION, _LOGIN_VERSION = 1, 1  # of the requests, which every broker since Kafka 2.0 knows
_READ_BYTES = 65_536


def open_publisher(settings: Settings) -> KafkaPublisher:
    """A publisher for a process that is of no use without Kafka.

    Raises:
        InvalidError: as `check_access`.
    """
    check_access(settings)
    return KafkaPublisher(settings)


def check_access(settings: Settings) -> None:
    """Return if the brokers accept certificates and login; brokers that are away accept everything.

    Raises:
        InvalidError: a broker refuses them, or its own certificate is not valid; the message is one line.
    """
    from kafka.cluster import collect_hosts

    if settings.kafka_security_protocol != "PLAINTEXT":
        for host, port, _ in collect_hosts(settings.kafka_bootstrap_servers, randomize=False):
            _check_broker(settings, host, port)


def _check_broker(settings: Settings, host: str, port: int) -> None:
    try:
        with socket.create_connection((host, port), timeout=_CONNECT_SECONDS) as plain:
            if not settings.kafka_security_protocol.endswith("SSL"):
                _log_in(settings, plain, host)
                return
            with _context(settings).wrap_socket(plain, server_hostname=host) as secured:
                if settings.kafka_security_protocol.startswith("SASL"):
                    _log_in(settings, secured, host)
                else:
                    _wait_for_alert(secured)
    except ssl.SSLCertVerificationError as error:
        raise InvalidError(
            f"the certificate of Kafka at {host}:{port} is not valid: {error.verify_message}; renew it, or correct "
            "PHOTOFEED_KAFKA_CA_FILE or PHOTOFEED_KAFKA_BOOTSTRAP_SERVERS",
        ) from error
    except ssl.SSLEOFError:  # no refusal: a broker that stops closes its connections
        return
    except ssl.SSLError as error:
        raise InvalidError(
            f"Kafka at {host}:{port} refuses TLS ({_reason(error)}): correct PHOTOFEED_KAFKA_SECURITY_PROTOCOL, "
            "or PHOTOFEED_KAFKA_CLIENT_CERTIFICATE and its key",
        ) from error
    except OSError:
        return


def _context(settings: Settings) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=settings.kafka_ca_file)
    if settings.kafka_client_certificate is not None:
        context.load_cert_chain(settings.kafka_client_certificate, settings.kafka_client_key)
    return context


def _wait_for_alert(secured: ssl.SSLSocket) -> None:
    """With TLS 1.3 the handshake is over for the client before the server refuses its certificate."""
    secured.settimeout(_ALERT_SECONDS)
    try:
        secured.recv(1)
    except TimeoutError:
        return


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or str(error)).replace("_", " ").lower()


def _log_in(settings: Settings, connection: socket.socket, host: str) -> None:
    from kafka.net.sasl import get_sasl_mechanism
    from kafka.protocol.parser import KafkaProtocol
    from kafka.protocol.sasl import SaslAuthenticateRequest, SaslHandshakeRequest

    protocol, name = KafkaProtocol(client_id="photofeed"), settings.kafka_sasl_mechanism
    offered = _ask(protocol, connection, SaslHandshakeRequest(mechanism=name, version=_HANDSHAKE_VERSION))
    if offered.error_code:
        known = ", ".join(offered.mechanisms)
        raise InvalidError(f"Kafka does not offer PHOTOFEED_KAFKA_SASL_MECHANISM={name}: it offers {known}")
    mechanism = get_sasl_mechanism(name)(host=host, **connection_options(settings))
    while not mechanism.is_done():
        request = SaslAuthenticateRequest(auth_bytes=mechanism.auth_bytes(), version=_LOGIN_VERSION)
        answer = _ask(protocol, connection, request)
        if answer.error_code:
            raise InvalidError(
                f"Kafka refuses the login of {settings.kafka_sasl_username} ({answer.error_message}): correct "
                "PHOTOFEED_KAFKA_SASL_USERNAME or PHOTOFEED_KAFKA_SASL_PASSWORD",
            )
        mechanism.receive(answer.auth_bytes)


def _ask(protocol: Any, connection: socket.socket, request: Any) -> Any:
    protocol.send_request(request)
    connection.sendall(protocol.send_bytes())
    while True:
        received = connection.recv(_READ_BYTES)
        if not received:
            raise ConnectionResetError("the broker closed the connection")
        for _, answer in protocol.receive_bytes(received):
            return answer
