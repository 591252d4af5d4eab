"""The stack under fire: embedded servers, two API processes, and every worker, each started again when it ends."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from photofeed.embedded.errors import NotReadyError
from photofeed.embedded.ports import LOOPBACK
from photofeed.embedded.processes import Command, ProcessGroup
from photofeed.embedded.record import ProcessRecord, load_record
from photofeed.embedded.stack import ALL_SERVERS, WITHOUT_MLFLOW, EmbeddedStack
from photofeed.settings import Settings
from tools.chaos.clocks import Clocks, NoCompilerError
from tools.chaos.disks import Disk, NoMountsError, isolate_mounts
from tools.chaos.promotions import register_two
from tools.kafka.cluster import KafkaCluster, running_kafka
from tools.listening import free_port

PHOTOFEED = str(Path(sys.executable).with_name("photofeed"))
_KINDS = ("relay", "photos", "zoom", "features", "fanout", "archive", "removal", "sweeper", "pools")
WORKERS = {**{kind: kind for kind in _KINDS if kind != "photos"}, "photos-1": "photos", "photos-2": "photos"}
PAIRS = {f"{kind}-{number}": kind for kind in _KINDS for number in (1, 2)}
APIS = ("api", "api-2")
_BROKER = "tansu"
_DISKS = ("postgres", "valkey", "seaweedfs", "log")  # folders of the state; those of photos and events are SeaweedFS's
# A photo whose message is lost must be queued again while the run lasts.
_SETTINGS = {
    "PHOTOFEED_PROCESSING_STUCK_SECONDS": "60",
    "PHOTOFEED_SWEEP_SECONDS": "5",
    "PHOTOFEED_UPLOADS_PER_DAY": "100000",
    "PHOTOFEED_CELEBRITY_FOLLOWERS": "6",  # so that some posts are pulled
}


@dataclass(frozen=True, slots=True)
class Stack:
    """A running stack.

    Attributes:
        urls: of the API processes.
        workers: name -> worker.
        servers: names of the embedded servers.
        clocks: of APIs and workers, if they have their own.
        disks: name -> disk, of those that can be filled.
        kafka: Apache Kafka, if that is the log.
        left_out: which faults cannot be injected here, and why; one sentence each.
    """

    settings: Settings
    embedded: EmbeddedStack
    urls: tuple[str, ...]
    workers: Mapping[str, str] = field(default_factory=lambda: WORKERS)
    servers: tuple[str, ...] = WITHOUT_MLFLOW
    clocks: Clocks | None = None
    disks: Mapping[str, Disk] = field(default_factory=dict)
    kafka: KafkaCluster | None = None
    left_out: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """The state folder."""
        return self.embedded.state.path

    def record(self, name: str) -> ProcessRecord | None:
        """The process of this name that runs now, or ran last; None while a server waits for its next start."""
        return load_record(self.embedded.state.run, name)

    def processes(self, name: str) -> list[psutil.Process]:
        """A process with its descendants; the process itself comes first."""
        record = self.record(name)
        return [] if record is None else sorted(record.family(), key=lambda one: one.pid != record.pid)

    def answers(self, name: str) -> bool:
        """Whether a server is healthy."""
        with suppress(NotReadyError):
            self.embedded.probe(name)
            return True
        return False

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a `photofeed` command."""
        environment = {**os.environ, "PHOTOFEED_STATE_DIR": str(self.folder)}
        return subprocess.run(  # noqa: S603  our own command
            [PHOTOFEED, *arguments], env=environment, capture_output=True, text=True, check=False
        )


@contextmanager
def running_stack(folder: Path, *, whole: bool, kafka: bool) -> Iterator[Stack]:
    """Start everything, and stop it when the block ends.

    Args:
        folder: of the state; it does not exist.
        whole: with MLflow and two models, two of each worker, and clocks and disks of their own.
        kafka: with Apache Kafka as the log.
    """
    set_quick_sweeps()
    embedded, left_out = EmbeddedStack(folder), list[str]()
    servers = tuple(name for name in (ALL_SERVERS if whole else WITHOUT_MLFLOW) if not kafka or name != _BROKER)
    with ExitStack() as owned:
        disks = _disks(embedded, servers, owned, left_out) if whole else {}
        owned.callback(embedded.stop)
        embedded.start(servers=servers)
        cluster = owned.enter_context(running_kafka(folder / "kafka")) if kafka else None
        if cluster is not None:
            cluster.take_over(embedded)
        settings = embedded.settings()
        urls = (settings.public_url, f"http://{LOOPBACK}:{free_port()}")
        clocks = _clocks(folder / "clocks", left_out) if whole else None
        workers = PAIRS if whole else WORKERS
        stack = Stack(settings, embedded, urls, workers, servers, clocks, disks, cluster, tuple(left_out))
        done = stack.run("setup")
        if done.returncode:
            raise RuntimeError(f"photofeed setup failed: {done.stderr}")
        if whole:
            register_two(settings)
        # one after the other: the first compiles what the others load
        for commands in _commands(stack):
            group = ProcessGroup(embedded.state, commands)
            group.start()
            owned.callback(group.stop)
        yield stack


def _clocks(folder: Path, left_out: list[str]) -> Clocks | None:
    try:
        return Clocks.compiled(folder)
    except NoCompilerError as error:
        left_out.append(str(error))
        return None


def _disks(embedded: EmbeddedStack, servers: tuple[str, ...], owned: ExitStack, left_out: list[str]) -> dict[str, Disk]:
    """Let servers write their first files, then move these to disks of their own."""
    try:
        isolate_mounts()
    except NoMountsError as error:
        left_out.append(str(error))
        return {}
    try:
        embedded.start(servers=servers)
    finally:
        embedded.stop()
    disks: dict[str, Disk] = {}
    for name in _DISKS:
        try:
            disks[name] = Disk.under(embedded.state.path / name)
        except NoMountsError as error:
            left_out.append(str(error))
            break
        owned.callback(disks[name].remove)
    return disks


def _commands(stack: Stack) -> list[list[Command]]:
    def command(name: str, *arguments: str, url: str | None = None) -> Command:
        port = {} if url is None else {"PHOTOFEED_PORT": url.rpartition(":")[2]}
        clock = {} if stack.clocks is None else stack.clocks.variables(name)
        return Command(name, (PHOTOFEED, *arguments), port | clock, url and f"{url}/readyz")

    apis = [[command(name, "serve", url=url)] for name, url in zip(APIS, stack.urls, strict=True)]
    return [*apis, [command(name, "work", worker) for name, worker in stack.workers.items()]]


def set_quick_sweeps() -> None:
    """Let every process that starts from now on take what is stuck up soon."""
    os.environ.update(_SETTINGS)
