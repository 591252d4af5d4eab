"""Servers that are started on a free port of this machine: those of other makers, and small ones of our own."""

import random
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from photofeed.embedded.ports import GRPC_OFFSET, LAST, is_free

_PATIENCE_SECONDS = 20
_FIRST_PORT, _LAST_PORT = LAST + GRPC_OFFSET + 1, 32_767


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print errors of handlers, except that a client went away before its reply, as probes do."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def free_port() -> int:
    """A port on 127.0.0.1 that nothing listens on.

    It is below the kernel's range for outgoing connections (from 32768 on Linux), none of which can take it while a
    server is started again, and above the ports of embedded stacks.
    """
    while True:
        port = random.randint(_FIRST_PORT, _LAST_PORT)
        if is_free(port):
            return port


def free_ports(count: int) -> list[int]:
    """So many different ones."""
    found = set[int]()
    while len(found) < count:
        found.add(free_port())
    return list(found)


@contextmanager
def running_server(command: Sequence[str], port: int, log: Path) -> Iterator[str]:
    """The address of a server that a command starts on a port; it is stopped when the context is left.

    Raises:
        RuntimeError: it does not start; the message is its log.
    """
    with log.open("w") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)  # noqa: S603  our own commands
        try:
            _wait_until_listening(port, process, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(_PATIENCE_SECONDS)


@contextmanager
def running_handler(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    """The port on which a handler answers in threads of this process while the context is open."""
    with _Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def _wait_until_listening(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Return when a process listens, for which it has a minute.

    Raises:
        RuntimeError: it has ended, or does not listen; the message is its log.
    """
    for _ in range(600):
        if process.poll() is not None:
            raise RuntimeError(log.read_text())
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            try:
                process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
        else:
            return
    raise RuntimeError(f"nothing listens on port {port}: {log.read_text()}")
