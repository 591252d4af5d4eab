"""One POST to an address that somebody else chose: no redirects, no private addresses, and a limit for all of its time.

The address is checked when it has been resolved, and that address is connected to, so a name cannot resolve to another
one after the check.
"""

import ipaddress
import socket
import ssl
import time
from collections.abc import Iterable, Mapping
from typing import Any

import httpcore

SECONDS = 15.0  # in all; also for a receiver that sends one byte at a time
_CONNECT_SECONDS = 5.0


class NotSentError(Exception):
    """No reply came; the message says why."""


class PrivateAddressError(NotSentError):
    """The name resolves to an address that is not public."""


class _Stream(httpcore.NetworkStream):
    """A connection that ends at a deadline."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream, self._deadline = stream, deadline

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout(f"no reply within {SECONDS:.0f} s")
        return left

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002  the deadline replaces it
        return self._stream.read(max_bytes, self._left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        self._stream.write(buffer, self._left())

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, self._left()), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    """Connects to public addresses only."""

    def __init__(self, deadline: float, *, allow_private: bool) -> None:
        self._deadline, self._allow_private = deadline, allow_private
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise NotSentError(f"{host} cannot be resolved") from error
        address = str(found[0][4][0])
        if not self._allow_private and not all(is_public(str(one[4][0])) for one in found):
            raise PrivateAddressError(f"{host} is not a public address")
        stream = self._sockets.connect_tcp(address, port, _CONNECT_SECONDS, local_address, socket_options)
        return _Stream(stream, self._deadline)


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    ip = mapped or ip
    return ip.is_global and not ip.is_multicast


def post(url: str, body: bytes, headers: Mapping[str, str], *, allow_private: bool) -> int:
    """Send a body; returns the status of the reply. The rest of the reply is not read.

    Raises:
        NotSentError: no reply came, or the address is not public.
    """
    backend = _Backend(time.monotonic() + SECONDS, allow_private=allow_private)
    try:
        with (
            httpcore.ConnectionPool(ssl_context=ssl.create_default_context(), network_backend=backend) as pool,
            pool.stream("POST", url, headers=[*headers.items()], content=body) as reply,
        ):
            return reply.status
    except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
        raise NotSentError(f"{type(error).__name__}: {error}"[:200]) from error
