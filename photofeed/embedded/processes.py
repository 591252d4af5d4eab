"""Starts, supervises and stops photofeed's own processes (API, workers) beside the embedded servers."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Event

from photofeed.embedded import http_probe
from photofeed.embedded.child import Child, Launch
from photofeed.embedded.record import stop
from photofeed.embedded.state import StateFolder
from photofeed.embedded.supervisor import Supervisor

STAGE = 10  # stops before every server
READY_SECONDS = 300.0  # the first start compiles the kernels, which takes minutes on a busy machine
STOP_SECONDS = 15.0

# Feast sets it in every process that imports it: processes that inherit it would label their metrics by process.
_METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"


@dataclass(frozen=True, slots=True)
class Command:
    """One process: its name, which is also its log file's, its command line, and the URL of its readiness, if any."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    ready_url: str | None = None


class ProcessGroup:
    """Runs commands as child processes in the current directory, with `PHOTOFEED_STATE_DIR` set to the stack's folder.

    They are recorded in the state folder, so the stack's guardian stops them too if this process dies.
    """

    def __init__(self, state: StateFolder, commands: Sequence[Command]) -> None:
        self._state = state
        self._commands = commands
        self._supervisors: list[Supervisor] = []

    def start(self, progress: Callable[[str], None] | None = None) -> None:
        """Start all, wait for those with a readiness URL, and from then on restart every process that ends.

        Raises:
            ServerStartError: a process ended or was not ready in time; all are stopped again.
        """
        children: list[Child] = []
        try:
            children.extend(self._spawn(command) for command in self._commands)
            for command, child in zip(self._commands, children, strict=True):
                if command.ready_url is not None:
                    child.wait_ready(partial(http_probe.get, command.ready_url), READY_SECONDS, Event())
                if progress:
                    progress(f"{command.name} is up")
        except BaseException:
            stop([child.record for child in reversed(children)])
            for child in children:
                child.reap()
            raise
        self._supervisors = [
            Supervisor(child, partial(self._spawn_again, command))
            for command, child in zip(self._commands, children, strict=True)
        ]

    def stop(self) -> None:
        """Stop all: SIGTERM to the last started first, then SIGKILL to those that run after `STOP_SECONDS`.

        They stop in parallel: to finish its work a process needs the servers and no other process.
        """
        stop([supervisor.retire() for supervisor in reversed(self._supervisors)])
        for supervisor in self._supervisors:
            supervisor.join()
        self._supervisors.clear()

    def _spawn_again(self, command: Command, stopping: Event) -> Child:  # noqa: ARG002  a spawn takes no time
        return self._spawn(command)

    def _spawn(self, command: Command) -> Child:
        inherited = {name: value for name, value in os.environ.items() if name != _METRICS_FOLDER}
        environment = {**inherited, **command.env, "PHOTOFEED_STATE_DIR": str(self._state.path)}
        launch = Launch(command.argv, environment, cwd=Path.cwd(), stop_seconds=STOP_SECONDS)
        return Child(command.name, launch, self._state, STAGE)
