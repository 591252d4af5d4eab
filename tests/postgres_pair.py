"""A PostgreSQL and its streaming replica, which can be promoted."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

import psycopg

from photofeed.embedded.account import give_to_account, run_as_account
from photofeed.embedded.child import base_environment
from photofeed.embedded.errors import NotReadyError
from photofeed.embedded.postgres import DATABASE, USER, Postgres
from photofeed.embedded.state import StateFolder
from tools.listening import free_ports

_TRIES, _BETWEEN_SECONDS = 600, 0.1
_SMALL = ("-c", "shared_buffers=32MB", "-c", "fsync=off")  # the processes die, not the machine


@dataclass(slots=True)
class PostgresPair:
    """A primary, and a replica that has each commit before its client does."""

    password: str
    ports: tuple[int, int]
    primary: "subprocess.Popen[bytes]"
    replica: Postgres

    @property
    def url(self) -> str:
        """The address of whichever of both takes writes."""
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.ports)
        return f"postgresql://{USER}:{self.password}@{hosts}/{DATABASE}?target_session_attrs=read-write"

    def fail_over(self) -> None:
        """Kill the primary and promote the replica; returns when it takes writes."""
        _kill(self.primary)
        with psycopg.connect(self.replica.url(), autocommit=True) as connection:
            row = connection.execute("select pg_promote()").fetchone()
        assert row == (True,)


@contextmanager
def postgres_pair(folder: Path) -> Iterator[PostgresPair]:
    """Two new servers with an empty database; they end with the block."""
    password = token_hex(8)
    one, other = free_ports(2)
    ports = one, other
    first, second = (
        Postgres(StateFolder(folder / name), port, password)
        for name, port in zip(("first", "second"), ports, strict=True)
    )
    with ExitStack() as owned:
        first.prepare()
        primary = _start(first, folder / "first.log")
        owned.callback(_kill, primary)
        _until(first.probe)
        first.provision()
        _copy(first, second)
        owned.callback(_kill, _start(second, folder / "second.log"))
        _until(second.probe)
        with psycopg.connect(first.url(), autocommit=True) as connection:
            _until(lambda: _check_streaming(connection))
            # set after the copy: a promoted replica has no replica to wait for
            connection.execute("alter system set synchronous_standby_names = '*'")
            connection.execute("select pg_reload_conf()")
            _until(lambda: _check_synchronous(connection))
        yield PostgresPair(password, ports, primary, second)


def _copy(first: Postgres, second: Postgres) -> None:
    second._data.mkdir(mode=0o700, parents=True)
    give_to_account(second._data)
    program = str(first._binaries / "pg_basebackup")
    command = [program, "-D", str(second._data), "-R", "-X", "stream", "-c", "fast", "-d", first.url("postgres")]
    subprocess.run(  # noqa: S603  our own command
        run_as_account(command, first._binaries, second._data),
        env=base_environment(),
        cwd="/",
        check=True,
        capture_output=True,
    )


def _start(server: Postgres, log: Path) -> "subprocess.Popen[bytes]":
    launch = server.launch()
    with log.open("wb") as file:
        return subprocess.Popen(  # noqa: S603  our own command
            [*launch.argv, *_SMALL], env=launch.env, cwd="/", stdout=file, stderr=file, start_new_session=True
        )


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """End a server and all its processes by SIGKILL."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _until(check: Callable[[], None]) -> None:
    waiting = threading.Event()
    for _ in range(_TRIES):
        try:
            check()
        except NotReadyError as error:
            reason = error
            waiting.wait(_BETWEEN_SECONDS)
        else:
            return
    raise AssertionError(str(reason))


def _check_streaming(connection: "psycopg.Connection[tuple[object, ...]]") -> None:
    if connection.execute("select 1 from pg_stat_replication where state = 'streaming'").fetchone() is None:
        raise NotReadyError("the replica does not stream")


def _check_synchronous(connection: "psycopg.Connection[tuple[object, ...]]") -> None:
    if connection.execute("select 1 from pg_stat_replication where sync_state = 'sync'").fetchone() is None:
        raise NotReadyError("commits do not wait for the replica")
