"""One child process: started in its own session, recorded, logged, stopped."""

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGTERM, Signals
from threading import Event

import psutil

from photofeed.embedded.errors import MissingProgramError, NotReadyError, ServerStartError
from photofeed.embedded.record import ProcessRecord, stop
from photofeed.embedded.state import StateFolder

_PROBE_SECONDS = 0.05
_TAIL_BYTES, _TAIL_LINES = 8192, 15


@dataclass(frozen=True, slots=True)
class Launch:
    """How to run a process: arguments, whole environment, working folder, stop signal, and files it leaves behind."""

    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path = Path("/")
    stop_signal: Signals = SIGTERM
    stop_seconds: float = 10.0
    leaves: Sequence[str] = ()


class Child:
    """A started process of the stack.

    It runs in its own session, so that a terminal's Ctrl-C reaches only the parent, which stops all in order.
    """

    def __init__(self, name: str, launch: Launch, state: StateFolder, stage: int) -> None:
        self.name = name
        self.log = state.log / f"{name}.log"
        self._record_file = state.run / f"{name}.json"
        with self.log.open("ab") as log:
            self._log_start = log.tell()
            try:
                self._popen = subprocess.Popen(  # noqa: S603  the stack's own command lines
                    launch.argv,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=launch.env,
                    cwd=launch.cwd,
                    umask=0o077,
                    start_new_session=True,
                )
            except OSError as error:
                raise MissingProgramError(f"{name} cannot be started: {launch.argv[0]}: {error.strerror}") from error
        self.record = ProcessRecord(
            name,
            self._popen.pid,
            psutil.Process(
                self._popen.pid
            ).create_time(),  # exists even if the process has ended, because it is not reaped yet
            stage,
            launch.stop_signal,
            launch.stop_seconds,
            launch.leaves,
        )
        self.record.write(state.run)

    @property
    def exit_code(self) -> int | None:
        """The exit code once it has ended, negative for a signal."""
        return self._popen.poll()

    def wait_ready(self, probe: Callable[[], object], seconds: float, abort: Event) -> None:
        """Probe until the process is healthy.

        Raises:
            ServerStartError: it ended, was not healthy in time, or `abort` was set.
        """
        end = time.monotonic() + seconds
        while True:
            if self.exit_code is not None:
                raise self.failure(f"ended with exit code {self.exit_code}")
            try:
                probe()
            except NotReadyError as error:
                if time.monotonic() > end:
                    raise self.failure(f"was not healthy after {seconds:.0f} s ({error})") from error
            else:
                return
            if abort.wait(_PROBE_SECONDS):
                raise self.failure("was cancelled")

    def wait(self, seconds: float | None = None) -> int | None:
        """Wait until the process ends by itself; return its exit code, or None if it still runs after some seconds."""
        try:
            return self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def stop(self) -> None:
        """Stop the process with its descendants, if it runs, and remove its record."""
        stop([self.record])
        self.reap()

    def reap(self) -> None:
        """Collect the exit code of a process that was stopped by its record, and remove the record."""
        self._popen.wait()
        self._record_file.unlink(missing_ok=True)

    def failure(self, why: str) -> ServerStartError:
        """The error of a failed start, with the last lines that the process logged."""
        return ServerStartError(self.name, why, self.log, _tail(self.log, self._log_start))


def base_environment() -> dict[str, str]:
    """Return the environment variables that every program needs.

    Servers get no others, because an AWS_*, PG*, MLFLOW_* or proxy variable of the user would change what they do.
    """
    return {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG", "TZ") if name in os.environ}


def _tail(log: Path, start: int) -> str:
    with log.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(start, size - _TAIL_BYTES))
        return "\n".join(file.read().decode(errors="replace").rstrip().splitlines()[-_TAIL_LINES:])
