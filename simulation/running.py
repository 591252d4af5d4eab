"""The whole of photofeed on one machine: servers, set-up, processes; up in order, down in reverse."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from photofeed.embedded.errors import EmbeddedStackError
from photofeed.embedded.processes import Command, ProcessGroup
from photofeed.embedded.stack import ALL_SERVERS, EmbeddedStack
from photofeed.settings import Settings
from photofeed.tokens import SERVICE, mint_token
from simulation.api_client import ApiClient
from simulation.errors import BrokenPathError
from simulation.scale import Scale
from simulation.stages import Stages

PHOTOFEED = str(Path(sys.executable).with_name("photofeed"))
TOKEN_HOURS = 24.0


@dataclass(frozen=True, slots=True)
class RunningPhotofeed:
    """photofeed as it runs: its settings, its logs, and a client that may act for everybody."""

    settings: Settings
    environment: Mapping[str, str]
    logs: Path
    client: ApiClient

    def command(self, *arguments: str) -> None:
        """Run a `photofeed` command on this stack, its output to a log beside the servers' logs.

        Raises:
            BrokenPathError: it failed; the message is its last line.
        """
        log = self.logs / f"{arguments[0]}.log"
        with log.open("wb") as output:
            finished = subprocess.run(  # noqa: S603  our own command
                (PHOTOFEED, *arguments),
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.environment},
            )
        if finished.returncode:
            lines = log.read_text(errors="replace").rstrip().splitlines() or ["no output"]
            raise BrokenPathError(f"photofeed {' '.join(arguments)} failed (log: {log}): {lines[-1]}")


@contextmanager
def running_photofeed(state_dir: Path, scale: Scale, stages: Stages) -> Iterator[RunningPhotofeed]:
    """Bring everything up, ready to serve; when the block ends, however it does, everything is stopped.

    Raises:
        BrokenPathError: something did not come up; what did is stopped again.
    """
    try:
        stack = EmbeddedStack(state_dir)
        with stages.stage("servers", len(ALL_SERVERS)) as advance:
            stack.start(lambda _: advance(1))
        try:
            with _processes_of(stack, scale, stages) as running:
                yield running
        finally:
            stack.stop()
    except EmbeddedStackError as error:
        raise BrokenPathError(str(error)) from error


@contextmanager
def _processes_of(stack: EmbeddedStack, scale: Scale, stages: Stages) -> Iterator[RunningPhotofeed]:
    settings = stack.settings()
    environment = {
        "PHOTOFEED_STATE_DIR": str(stack.state.path),
        "PHOTOFEED_CELEBRITY_FOLLOWERS": str(scale.celebrity_followers),
    }
    token = mint_token(settings, 0, frozenset({SERVICE}), TOKEN_HOURS)
    with ApiClient(settings.public_url, token) as client:
        running = RunningPhotofeed(settings, environment, stack.state.log, client)
        with stages.stage("database, topics, feature store"):
            running.command("setup")
        commands = _commands(settings, environment)
        processes = ProcessGroup(stack.state, commands)
        with stages.stage("API and workers", len(commands)) as advance:
            processes.start(lambda _: advance(1))
        try:
            yield running
        finally:
            processes.stop()


def _commands(settings: Settings, environment: Mapping[str, str]) -> Sequence[Command]:
    photo_workers = [f"photos-{number}" for number in range(1, (os.cpu_count() or 1) + 1)]
    work = {"relay": "relay", **dict.fromkeys(photo_workers, "photos")}
    work |= {name: name for name in ("zoom", "features", "fanout", "archive", "removal", "sweeper", "pools")}
    serve = Command("api", (PHOTOFEED, "serve"), environment, f"{settings.public_url}/readyz")
    return [
        *(Command(name, (PHOTOFEED, "work", worker), environment) for name, worker in work.items()),
        serve,
    ]
