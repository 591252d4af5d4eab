"""photofeed on one machine: starts servers, set-up, API and workers in order, and stops them in reverse order."""

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
from photofeed.offline_store.lake import LakeFolder, open_lake
from photofeed.offline_store.tables import ENGAGEMENT
from photofeed.settings import Settings
from simulation.api_client import ApiClient
from simulation.errors import BrokenPathError
from simulation.scale import Scale
from simulation.stages import Stages

PHOTOFEED = str(Path(sys.executable).with_name("photofeed"))


@dataclass(frozen=True, slots=True)
class Programs:
    """The `photofeed` programs of the API, and of set-up and workers. They may be in different environments."""

    serve: str = PHOTOFEED
    work: str = PHOTOFEED


THIS_ENVIRONMENT = Programs()


@dataclass(frozen=True, slots=True)
class RunningPhotofeed:
    """A running photofeed: settings, environment of its processes, log folder, and a client with a service token."""

    settings: Settings
    environment: Mapping[str, str]
    logs: Path
    client: ApiClient

    def command(self, *arguments: str, program: str = PHOTOFEED) -> None:
        """Run a `photofeed` command on this stack and write its output to the log folder.

        Raises:
            BrokenPathError: the command failed; the message ends with its last line of output.
        """
        log = self.logs / f"{arguments[0]}.log"
        with log.open("wb") as output:
            finished = subprocess.run(  # noqa: S603  our own command
                (program, *arguments),
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.environment},
            )
        if finished.returncode:
            lines = log.read_text(errors="replace").rstrip().splitlines() or ["no output"]
            raise BrokenPathError(f"photofeed {' '.join(arguments)} failed (log: {log}): {lines[-1]}")

    def counted_events(self) -> int:
        """The number of engagement events that the features worker has counted."""
        return self.client.workers_progress().events_in_features

    def archived_events(self) -> int:
        """The number of engagement events that the archive worker has written to the lake."""
        return open_lake(self.settings).rows(LakeFolder(self.settings.bucket_lake, ENGAGEMENT))


@contextmanager
def running_photofeed(
    state_dir: Path, scale: Scale, stages: Stages, programs: Programs = THIS_ENVIRONMENT
) -> Iterator[RunningPhotofeed]:
    """Start everything, ready to serve. Everything is stopped when the block ends, also after an error.

    Raises:
        BrokenPathError: a server or process did not start. Those that did are stopped.
    """
    try:
        stack = EmbeddedStack(state_dir)
        with stages.stage("start servers", len(ALL_SERVERS)) as advance:
            stack.start(lambda _: advance(1))
        try:
            with processes_of(stack, scale, stages, programs) as running:
                yield running
        finally:
            stack.stop()
    except EmbeddedStackError as error:
        raise BrokenPathError(str(error)) from error


@contextmanager
def processes_of(
    stack: EmbeddedStack, scale: Scale, stages: Stages, programs: Programs = THIS_ENVIRONMENT
) -> Iterator[RunningPhotofeed]:
    """Set up a stack whose servers run, and start API and workers; they are stopped when the block ends.

    Raises:
        BrokenPathError: a process did not start.
        EmbeddedStackError: the same.
    """
    settings = stack.settings()
    environment = {
        "PHOTOFEED_STATE_DIR": str(stack.state.path),
        "PHOTOFEED_CELEBRITY_FOLLOWERS": str(scale.celebrity_followers),
    }
    with ApiClient.for_service(settings) as client:
        running = RunningPhotofeed(settings, environment, stack.state.log, client)
        with stages.stage("set up database, topics, features", usual_seconds=10):
            running.command("setup", program=programs.work)
        commands = _commands(settings, environment, programs)
        processes = ProcessGroup(stack.state, commands)
        with stages.stage("start API and workers", len(commands)) as advance:
            processes.start(lambda _: advance(1))
        try:
            yield running
        finally:
            processes.stop()


def _commands(settings: Settings, environment: Mapping[str, str], programs: Programs) -> Sequence[Command]:
    photo_workers = [f"photos-{number}" for number in range(1, (os.cpu_count() or 1) + 1)]
    work = {"relay": "relay", **dict.fromkeys(photo_workers, "photos")}
    work |= {name: name for name in ("zoom", "features", "fanout", "archive", "removal", "sweeper", "pools")}
    serve = Command("api", (programs.serve, "serve"), environment, f"{settings.public_url}/readyz")
    return [
        *(Command(name, (programs.work, "work", worker), environment) for name, worker in work.items()),
        serve,
    ]
