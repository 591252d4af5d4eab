"""How every Kafka client of photofeed connects."""

import socket
from typing import Any

from photofeed.settings import Settings

GROUP_HEADER = "photofeed-group"
"""The header of a message that is for one consumer group only."""

BOOTSTRAP_MS = 10_000
"""How long a client for people waits for the brokers."""

# kafka-python waits up to 30 s before it connects again: far longer than a broker takes to restart.
_LONGEST_RECONNECT_MS = 1_000
# A host that vanished closes no connection. Kernels notice it only by probes.
_SOCKET_OPTIONS = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1), (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]


def connection_options(settings: Settings) -> dict[str, Any]:
    """The options of kafka-python that producers, consumers and admin clients share."""
    return {
        "bootstrap_servers": settings.kafka_bootstrap_servers,
        "reconnect_backoff_max_ms": _LONGEST_RECONNECT_MS,
        "socket_options": _SOCKET_OPTIONS,
        "security_protocol": settings.kafka_security_protocol,
        **_tls(settings),
        **_sasl(settings),
    }


def _tls(settings: Settings) -> dict[str, Any]:
    files = {
        "ssl_cafile": settings.kafka_ca_file,
        "ssl_certfile": settings.kafka_client_certificate,
        "ssl_keyfile": settings.kafka_client_key,
    }
    return {name: str(file) for name, file in files.items() if file is not None}


def _sasl(settings: Settings) -> dict[str, Any]:
    if settings.kafka_sasl_password is None or not settings.kafka_security_protocol.startswith("SASL"):
        return {}
    return {
        "sasl_mechanism": settings.kafka_sasl_mechanism,
        "sasl_plain_username": settings.kafka_sasl_username,
        "sasl_plain_password": settings.kafka_sasl_password.get_secret_value(),
    }
