"""A PgBouncer in transaction mode in front of a PostgreSQL."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr

from photofeed.embedded.account import give_to_account, run_as_account
from photofeed.settings import Settings

SESSIONS = 2  # of PostgreSQL for all clients, so that a client seldom gets the same one again
_TRIES = 100


@contextmanager
def pgbouncer(settings: Settings, folder: Path) -> Iterator[Settings]:
    """These settings with PgBouncer in front of their PostgreSQL. Skips the test where it is not installed."""
    program = shutil.which("pgbouncer")
    if program is None:
        pytest.skip("pgbouncer is missing: apt-get install pgbouncer")
    known = {name: str(value) for name, value in conninfo_to_dict(settings.database_url.get_secret_value()).items()}
    process, port = _start(program, folder, known)
    address = f"postgresql://{known['user']}:{known['password']}@127.0.0.1:{port}/{known['dbname']}"
    try:
        _wait(process, address, folder)
        direct = settings.database_url
        yield settings.model_copy(update={"database_url": SecretStr(address), "database_direct_url": direct})
    finally:
        process.kill()
        process.wait()


def _start(program: str, folder: Path, known: dict[str, str]) -> tuple["subprocess.Popen[bytes]", int]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    users, config = folder / "users.txt", folder / "pgbouncer.ini"
    users.write_text(f'"{known["user"]}" "{known["password"]}"\n')
    server = f"host={known['host']} port={known['port']} dbname={known['dbname']}"
    config.write_text(f"""
[databases]
{known["dbname"]} = {server} connect_query='set statement_timeout = 60000'
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
pool_mode = transaction
default_pool_size = {SESSIONS}
max_client_conn = 200
""")
    for path in (folder, users, config):
        give_to_account(path)
    command = run_as_account([program, str(config)], config)
    with (folder / "pgbouncer.log").open("wb") as log:
        return subprocess.Popen(command, stdout=log, stderr=log), port  # noqa: S603  our own command


def _wait(process: "subprocess.Popen[bytes]", address: str, folder: Path) -> None:
    for _ in range(_TRIES):
        with suppress(psycopg.OperationalError):
            psycopg.connect(address, connect_timeout=5).close()
            return
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.1)
            break
    raise AssertionError(f"PgBouncer does not start: {(folder / 'pgbouncer.log').read_text()[-2_000:]}")
