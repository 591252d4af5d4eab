"""The ports of one stack: free ports chosen on the first start, and kept while they stay free."""

import random
import re
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Self

from photofeed.embedded.errors import PortTakenError

LOOPBACK = "127.0.0.1"
GRPC_OFFSET = 10_000
# Below the kernel's range for outgoing connections (from 32768 on Linux), including the gRPC ports.
FIRST, LAST = 10_000, 19_999
HIGHEST = 65_535
WITH_GRPC = frozenset({"s3", "filer", "master", "volume", "weed_admin"})

# Settings that contain a port: loopback URLs, and the port of the API.
_PORT_SETTINGS = {
    "api": "PHOTOFEED_PORT",
    "postgres": "PHOTOFEED_DATABASE_URL",
    "valkey": "PHOTOFEED_REDIS_URL",
    "s3": "PHOTOFEED_S3_ENDPOINT_URL",
    "kafka": "PHOTOFEED_KAFKA_BOOTSTRAP_SERVERS",
    "mlflow": "PHOTOFEED_MLFLOW_TRACKING_URI",
}
_PORT_OF_LOOPBACK = re.compile(r"(?:^|(?:^|[/@])(?:127\.0\.0\.1|localhost):)(?P<port>\d{1,5})(?:/|$)")


@dataclass(frozen=True, slots=True)
class Ports:
    """One port per listener; listeners of SeaweedFS (`WITH_GRPC`) also use port + 10000. 0 means not chosen yet."""

    api: int = 0
    postgres: int = 0
    valkey: int = 0
    s3: int = 0
    filer: int = 0
    master: int = 0
    volume: int = 0
    weed_admin: int = 0
    kafka: int = 0
    mlflow: int = 0

    @classmethod
    def kept(cls, saved: Mapping[str, int]) -> Self:
        """The ports that an earlier start saved; names of other versions are dropped."""
        names = {field.name for field in fields(cls)}
        return cls(**{name: port for name, port in saved.items() if name in names})

    def still_free(self, wanted: Mapping[str, int]) -> Self:
        """Return ports that are free now: the wanted port, else the saved one if it is free, else a new one.

        Raises:
            PortTakenError: a wanted port is in use.
        """
        for name, port in wanted.items():
            if not _usable(name, port):
                raise PortTakenError(f"port {port} ({_PORT_SETTINGS[name]}) is in use: choose another, or unset it")
        used = {listener for name, port in wanted.items() for listener in _listeners(name, port)}
        chosen = dict(wanted)
        for name, port in asdict(self).items():
            if name in wanted:
                continue
            candidate = port
            while not candidate or used & _listeners(name, candidate) or not _usable(name, candidate):
                candidate = random.randint(FIRST, LAST)
            chosen[name] = candidate
            used |= _listeners(name, candidate)
        return replace(self, **chosen)


def wanted_ports(environ: Mapping[str, str]) -> dict[str, int]:
    """The ports in `PHOTOFEED_*` variables, by name of the listener."""
    wanted: dict[str, int] = {}
    for name, variable in _PORT_SETTINGS.items():
        if match := _PORT_OF_LOOPBACK.search(environ.get(variable, "")):
            wanted[name] = int(match["port"])
    return wanted


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        # as servers do: a connection in TIME_WAIT does not block the port
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _listeners(name: str, port: int) -> set[int]:
    return {port, port + GRPC_OFFSET} if name in WITH_GRPC else {port}


def _usable(name: str, port: int) -> bool:
    return all(listener <= HIGHEST and is_free(listener) for listener in _listeners(name, port))
