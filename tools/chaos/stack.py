"""The stack under fire: embedded servers, two API processes, and every worker, each started again when it ends."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from photofeed.embedded.ports import LOOPBACK
from photofeed.embedded.processes import Command, ProcessGroup
from photofeed.embedded.record import ProcessRecord, load_records
from photofeed.embedded.stack import WITHOUT_MLFLOW, EmbeddedStack
from photofeed.settings import Settings

PHOTOFEED = str(Path(sys.executable).with_name("photofeed"))
WORKERS = {
    "relay": "relay",
    "photos-1": "photos",
    "photos-2": "photos",
    **{name: name for name in ("zoom", "features", "fanout", "archive", "removal", "sweeper", "pools")},
}
APIS = ("api", "api-2")
SERVERS = WITHOUT_MLFLOW
# A photo whose message is lost must be queued again while the run lasts.
_SETTINGS = {
    "PHOTOFEED_PROCESSING_STUCK_SECONDS": "60",
    "PHOTOFEED_SWEEP_SECONDS": "5",
    "PHOTOFEED_UPLOADS_PER_DAY": "100000",
    "PHOTOFEED_CELEBRITY_FOLLOWERS": "6",  # so that some posts are pulled
}


@dataclass(frozen=True, slots=True)
class Stack:
    """A running stack."""

    settings: Settings
    embedded: EmbeddedStack
    urls: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """The state folder."""
        return self.embedded.state.path

    def record(self, name: str) -> ProcessRecord:
        """The process of this name that runs now, or ran last."""
        return next(one for one in load_records(self.embedded.state.run) if one.name == name)

    def processes(self, name: str) -> list[psutil.Process]:
        """A process with its descendants; the process itself comes first."""
        record = self.record(name)
        return sorted(record.family(), key=lambda one: one.pid != record.pid)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a `photofeed` command."""
        environment = {**os.environ, "PHOTOFEED_STATE_DIR": str(self.folder)}
        return subprocess.run(  # noqa: S603  our own command
            [PHOTOFEED, *arguments], env=environment, capture_output=True, text=True, check=False
        )


@contextmanager
def running_stack(folder: Path) -> Iterator[Stack]:
    """Start everything, and stop it when the block ends."""
    os.environ.update(_SETTINGS)
    embedded = EmbeddedStack(folder)
    with ExitStack() as owned:
        owned.callback(embedded.stop)
        embedded.start(servers=SERVERS)
        settings = embedded.settings()
        second = _free_port()
        urls = (settings.public_url, f"http://{LOOPBACK}:{second}")
        stack = Stack(settings, embedded, urls)
        done = stack.run("setup")
        if done.returncode:
            raise RuntimeError(f"photofeed setup failed: {done.stderr}")
        # one after the other: the first compiles what the others load
        for commands in _commands(urls, second):
            group = ProcessGroup(embedded.state, commands)
            group.start()
            owned.callback(group.stop)
        yield stack


def _commands(urls: tuple[str, ...], second_port: int) -> list[list[Command]]:
    serve, first, second = (PHOTOFEED, "serve"), f"{urls[0]}/readyz", f"{urls[1]}/readyz"
    return [
        [Command(APIS[0], serve, {}, first)],
        [Command(APIS[1], serve, {"PHOTOFEED_PORT": str(second_port)}, second)],
        [Command(name, (PHOTOFEED, "work", worker)) for name, worker in WORKERS.items()],
    ]


def _free_port() -> int:
    with socket.socket() as one:
        one.bind((LOOPBACK, 0))
        port: int = one.getsockname()[1]
        return port
