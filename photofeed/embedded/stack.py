"""The embedded stack: all servers of one state folder, started in parallel where possible, stopped in reverse order."""

import os
import time
from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import asdict
from functools import partial
from json import dumps
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Self

from photofeed.embedded import mlflow_server, tansu_log
from photofeed.embedded.errors import EmbeddedStackError, NotReadyError, StackSettingsError
from photofeed.embedded.guardian import Guardian
from photofeed.embedded.mlflow_server import MlflowServer
from photofeed.embedded.ports import LOOPBACK, Ports, wanted_ports
from photofeed.embedded.postgres import MLFLOW_DATABASE, Postgres
from photofeed.embedded.record import stop_recorded
from photofeed.embedded.seaweedfs import ACCESS_KEY, HEALTH_BUCKET, Buckets, SeaweedFS
from photofeed.embedded.server import Server, bring_up
from photofeed.embedded.state import Secrets, StateFolder
from photofeed.embedded.supervisor import Supervisor
from photofeed.embedded.tansu import Tansu
from photofeed.embedded.upkeep import Upkeep
from photofeed.embedded.valkey import Valkey
from photofeed.settings import STACK_ENV_FILE, Settings

ALL_SERVERS = ("postgres", "valkey", "seaweedfs", "tansu", "mlflow")
WITHOUT_MLFLOW = ALL_SERVERS[:-1]

# Variables that a user may set differently; every other variable of stack.env points to a server of the stack.
_FREE_VARIABLES = frozenset(
    {"PHOTOFEED_ENV", "PHOTOFEED_PORT", "PHOTOFEED_PUBLIC_URL", "PHOTOFEED_JWT_SECRET", "PHOTOFEED_CURSOR_SECRET"}
)


class EmbeddedStack:
    """Real servers for one machine, with all their state in one folder.

    As a context manager it starts and stops all servers. `start` may be called again for more servers. A server that
    ends by itself is started again. If this process dies, a guardian process stops everything in order.
    """

    def __init__(self, state_dir: Path) -> None:
        self.state = StateFolder(state_dir)
        self._lock: int | None = None
        self._guardian: Guardian | None = None
        self._servers: dict[str, Server] = {}
        self._stuck: dict[str, Callable[[], str | None]] = {}
        self._supervisors: dict[str, Supervisor] = {}
        self._upkeep_of: dict[str, Callable[[], None]] = {}
        self._upkeeps: list[Upkeep] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, progress: Callable[[str], None] | None = None, servers: Collection[str] = ALL_SERVERS) -> None:
        """Start these servers and those that they need, and return when all are healthy. Running servers stay.

        Servers that a killed run left behind are replaced. `progress` is called with one line per server.

        Raises:
            EmbeddedStackError: a server cannot start; the message is one line, and started servers are stopped again.
        """
        try:
            if self._lock is None:
                self._take_folder()
            self._bring_up(servers, progress or (lambda _: None))
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop everything recorded in the state folder, last started first, and release the folder."""
        if self._lock is None:
            return
        for supervisor in self._supervisors.values():
            supervisor.retire()
        for upkeep in self._upkeeps:
            upkeep.stop()
        self._upkeeps.clear()
        stop_recorded(self.state.run)
        for supervisor in self._supervisors.values():
            supervisor.join()
        self._supervisors.clear()
        if self._guardian is not None:
            self._guardian.dismiss()
            self._guardian = None
        os.close(self._lock)
        self._lock = None

    def probe(self, name: str) -> None:
        """Check that a server of the running stack answers in its own protocol, and need not be started again.

        Raises:
            NotReadyError: it does not, or must.
        """
        self._servers[name].probe()
        stuck = self._stuck.get(name)
        if stuck is not None and (why := stuck()) is not None:
            raise NotReadyError(why)

    def settings(self) -> Settings:
        """Return the settings of this stack; `PHOTOFEED_*` variables override those that a user may set."""
        return Settings(_env_file=self.state.path / STACK_ENV_FILE, state_dir=self.state.path)

    def _take_folder(self) -> None:
        self._lock = self.state.hold()
        stop_recorded(self.state.run)
        self._guardian = Guardian(self.state, self._lock)
        secrets = self.state.secrets()
        ports = Ports.kept(self.state.load("ports.json")).still_free(wanted_ports(os.environ))
        self.state.save("ports.json", dumps(asdict(ports)))
        self._build(ports, secrets)

    def _build(self, ports: Ports, secrets: Secrets) -> None:
        """Write stack.env, then build the servers from the resulting settings."""
        postgres = Postgres(self.state, ports.postgres, secrets.postgres)
        valkey = Valkey(self.state, ports.valkey, secrets.valkey)
        api_url = f"http://{LOOPBACK}:{ports.api}"
        variables = {
            "PHOTOFEED_ENV": "dev",
            "PHOTOFEED_PORT": str(ports.api),
            "PHOTOFEED_PUBLIC_URL": api_url,
            "PHOTOFEED_DATABASE_URL": postgres.url(),
            "PHOTOFEED_REDIS_URL": valkey.url,
            "PHOTOFEED_KAFKA_BOOTSTRAP_SERVERS": f"{LOOPBACK}:{ports.kafka}",
            "PHOTOFEED_MLFLOW_TRACKING_URI": f"http://{LOOPBACK}:{ports.mlflow}",
            "PHOTOFEED_MLFLOW_DATABASE_URL": postgres.url(MLFLOW_DATABASE),
            "PHOTOFEED_S3_ENDPOINT_URL": f"http://{LOOPBACK}:{ports.s3}",
            "PHOTOFEED_S3_ACCESS_KEY": ACCESS_KEY,
            "PHOTOFEED_S3_SECRET_KEY": secrets.s3,
            "PHOTOFEED_JWT_SECRET": secrets.jwt,
            "PHOTOFEED_CURSOR_SECRET": secrets.cursor,
        }
        elsewhere = [
            name
            for name in variables.keys() - _FREE_VARIABLES
            if os.environ.get(name, variables[name]) != variables[name]
        ]
        if elsewhere:
            raise StackSettingsError(
                f"{', '.join(sorted(elsewhere))} points to another server than the embedded stack's: unset it"
            )
        self.state.save(STACK_ENV_FILE, "".join(f"{name}={value}\n" for name, value in variables.items()))

        settings = self.settings()
        buckets = Buckets(
            uploads=settings.bucket_originals,
            others=(
                settings.bucket_variants,
                settings.bucket_lake,
                tansu_log.BUCKET,
                mlflow_server.BUCKET,
                HEALTH_BUCKET,
            ),
            origins=sorted({settings.public_url.rstrip("/"), api_url, f"http://localhost:{ports.api}"}),
        )
        seaweedfs = SeaweedFS(
            self.state,
            ports,
            region=settings.s3_region,
            secret_key=secrets.s3,
            jwt_key=secrets.weed_jwt,
            admin_password=secrets.weed_admin,
            buckets=buckets,
        )
        broker = Tansu(ports.kafka, seaweedfs)
        registry = MlflowServer(self.state, ports.mlflow, postgres, seaweedfs)
        every: tuple[Server, ...] = (postgres, valkey, seaweedfs, broker, registry)
        self._servers = {server.name: server for server in every}
        self._stuck = {seaweedfs.name: seaweedfs.stuck}
        self._upkeep_of = {broker.name: broker.upkeep}

    def _bring_up(self, names: Collection[str], progress: Callable[[str], None]) -> None:
        """Start in the order of `ALL_SERVERS`, each as soon as the servers that it needs are healthy."""
        needed = {need for name in names for need in self._servers[name].needs}
        to_start = [name for name in ALL_SERVERS if name in needed.union(names) and name not in self._supervisors]
        if not to_start:
            return
        abort, began = Event(), time.monotonic()
        with ThreadPoolExecutor(len(to_start)) as pool:
            starting: dict[str, Future[str]] = {}
            for name in to_start:
                before = [starting[need] for need in self._servers[name].needs if need in starting]
                starting[name] = pool.submit(self._start_after, before, self._servers[name], abort)
            try:
                for done in as_completed(starting.values()):
                    progress(f"{done.result()} is up ({time.monotonic() - began:.1f} s)")
            except BaseException:
                abort.set()
                raise

    def _start_after(self, before: list[Future[str]], server: Server, abort: Event) -> str:
        for needed in before:
            needed.result()
        if abort.is_set():
            raise EmbeddedStackError(f"the start of {server.name} was cancelled")
        # stored here and not by the waiting thread, which stops waiting at the first failure
        child = bring_up(server, self.state, abort)
        start = partial(bring_up, server, self.state)
        self._supervisors[server.name] = Supervisor(child, start, self._stuck.get(server.name))
        if upkeep := self._upkeep_of.get(server.name):
            self._upkeeps.append(Upkeep(server.name, upkeep))
        return server.name
