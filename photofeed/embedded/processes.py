"""photofeed's own processes (API, workers) beside the embedded servers: started, kept running, stopped."""

import http.client
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock, Thread
from urllib.parse import urlsplit

import structlog

from photofeed.embedded.child import Child, Launch
from photofeed.embedded.errors import NotReadyError
from photofeed.embedded.record import ProcessRecord, stop
from photofeed.embedded.state import StateFolder

STAGE = 10  # stops before every server
READY_SECONDS = 120.0
STOP_SECONDS = 15.0
FIRST_DELAY, LONGEST_DELAY, STEADY_SECONDS = 0.25, 30.0, 60.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Command:
    """One process: its name (and log file), its command line, and where it says that it is ready, if it does."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    ready_url: str | None = None


class ProcessGroup:
    """Runs commands as children that find the stack by `PHOTOFEED_STATE_DIR`, in the current working directory.

    They are recorded in the state folder, so the stack's guardian stops them too if this process dies.
    """

    def __init__(self, state: StateFolder, commands: Sequence[Command]) -> None:
        self._state = state
        self._commands = commands
        self._processes: list[_Supervised] = []
        self._abort = Event()

    def start(self, progress: Callable[[str], None] | None = None) -> None:
        """Start all, wait for those that say when they are ready, and from then on restart what ends.

        Raises:
            ServerStartError: one ended or was not ready in time; all are stopped again.
        """
        try:
            for command in self._commands:
                self._processes.append(_Supervised(command, self._state))
            for process in self._processes:
                process.wait_ready(self._abort)
                if progress:
                    progress(f"{process.name} is up")
            for process in self._processes:
                process.supervise()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop all: SIGTERM to the last started first, then SIGKILL for what has not ended after `STOP_SECONDS`.

        They end side by side: none needs another of them to finish its work, only the servers.
        """
        self._abort.set()
        stop([process.retire() for process in reversed(self._processes)])
        for process in self._processes:
            process.join()
        self._processes.clear()

    def pids(self) -> dict[str, int]:
        """Return the present process id of each process, by name."""
        return {process.name: process.pid for process in self._processes}


class _Supervised:
    """One process and the thread that starts it again, after a delay that doubles while it keeps ending early."""

    def __init__(self, command: Command, state: StateFolder) -> None:
        self.name = command.name
        self._ready_url = command.ready_url
        environment = {**os.environ, **command.env, "PHOTOFEED_STATE_DIR": str(state.path)}
        self._launch = Launch(command.argv, environment, cwd=Path.cwd(), stop_seconds=STOP_SECONDS)
        self._state = state
        self._stopping = Event()
        self._changing = Lock()
        self._thread: Thread | None = None
        self._child = self._spawn()

    @property
    def pid(self) -> int:
        return self._child.pid

    def wait_ready(self, abort: Event) -> None:
        if self._ready_url is not None:
            self._child.wait_ready(self._probe, READY_SECONDS, abort)

    def supervise(self) -> None:
        self._thread = Thread(target=self._keep_running, name=f"supervise-{self.name}", daemon=True)
        self._thread.start()

    def retire(self) -> ProcessRecord:
        """Start it no more; return the record to stop it by."""
        with self._changing:
            self._stopping.set()
        return self._child.record

    def join(self) -> None:
        self._child.reap()
        if self._thread is not None:
            self._thread.join()

    def _keep_running(self) -> None:
        delay = FIRST_DELAY
        while True:
            began = time.monotonic()
            code = self._child.wait()
            if self._stopping.is_set():
                return
            if time.monotonic() - began > STEADY_SECONDS:
                delay = FIRST_DELAY
            log.warning(
                "process_ended", process=self.name, exit_code=code, restart_in_seconds=delay, log=str(self._child.log)
            )
            if self._stopping.wait(delay):
                return
            delay = min(delay * 2, LONGEST_DELAY)
            with self._changing:
                if self._stopping.is_set():
                    return
                self._child = self._spawn()

    def _spawn(self) -> Child:
        return Child(self.name, self._launch, self._state, STAGE)

    def _probe(self) -> None:
        url = urlsplit(self._ready_url or "")
        connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=5)
        try:
            connection.request("GET", url.path or "/")
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            raise NotReadyError(str(error)) from error
        finally:
            connection.close()
        if status != http.client.OK:
            raise NotReadyError(f"HTTP {status}")
