"""The embedded stack: all servers of one state folder, started in parallel where they allow it, stopped in reverse."""

import os
import time
from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import asdict
from json import dumps
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Self

from photofeed.embedded import mlflow_server, tansu
from photofeed.embedded.child import Child
from photofeed.embedded.errors import EmbeddedStackError, StackSettingsError
from photofeed.embedded.guardian import Guardian
from photofeed.embedded.mlflow_server import MlflowServer
from photofeed.embedded.ports import LOOPBACK, Ports, wanted_ports
from photofeed.embedded.postgres import Postgres
from photofeed.embedded.record import stop_recorded
from photofeed.embedded.seaweedfs import ACCESS_KEY, Buckets, SeaweedFS
from photofeed.embedded.server import Server, bring_up
from photofeed.embedded.state import Secrets, StateFolder
from photofeed.embedded.tansu import Tansu
from photofeed.embedded.valkey import Valkey
from photofeed.settings import STACK_ENV_FILE, Settings

ALL_SERVERS = ("postgres", "valkey", "seaweedfs", "tansu", "mlflow")
WITHOUT_MLFLOW = ALL_SERVERS[:-1]

# What a user may set beside a running stack; every other variable of stack.env leads to one of its servers.
_FREE_VARIABLES = frozenset(
    {"PHOTOFEED_PORT", "PHOTOFEED_PUBLIC_URL", "PHOTOFEED_JWT_SECRET", "PHOTOFEED_CURSOR_SECRET"}
)


class EmbeddedStack:
    """Real servers for one machine, with all their state in one folder.

    As a context manager it starts all servers and stops them. `start` may be called again for more servers. If this
    process dies in whatever way, a guardian process stops everything in order.
    """

    def __init__(self, state_dir: Path) -> None:
        self.state = StateFolder(state_dir)
        self._lock: int | None = None
        self._guardian: Guardian | None = None
        self._servers: dict[str, Server] = {}
        self._children: dict[str, Child] = {}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, progress: Callable[[str], None] | None = None, servers: Collection[str] = ALL_SERVERS) -> None:
        """Start these servers and those they need, and return when all are healthy; those that run stay as they are.

        Servers left running by a killed run are replaced. `progress` gets a line per server.

        Raises:
            EmbeddedStackError: in one line, what is wrong; whatever was started is stopped again.
        """
        try:
            if self._lock is None:
                self._take_folder()
            self._bring_up(servers, progress or (lambda _: None))
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop everything recorded in the state folder, last started first, and let the folder go."""
        if self._lock is None:
            return
        stop_recorded(self.state.run)
        for child in self._children.values():
            child.reap()
        self._children.clear()
        if self._guardian is not None:
            self._guardian.dismiss()
            self._guardian = None
        os.close(self._lock)
        self._lock = None

    def settings(self) -> Settings:
        """Return the settings that lead to this stack; `PHOTOFEED_*` variables win where they may."""
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
        """Write stack.env, then build the servers from the settings that come of it."""
        postgres = Postgres(self.state, ports.postgres, secrets.postgres)
        valkey = Valkey(self.state, ports.valkey, secrets.valkey)
        api_url = f"http://{LOOPBACK}:{ports.api}"
        variables = {
            "PHOTOFEED_PORT": str(ports.api),
            "PHOTOFEED_PUBLIC_URL": api_url,
            "PHOTOFEED_DATABASE_URL": postgres.url(),
            "PHOTOFEED_REDIS_URL": valkey.url,
            "PHOTOFEED_KAFKA_BOOTSTRAP_SERVERS": f"{LOOPBACK}:{ports.kafka}",
            "PHOTOFEED_MLFLOW_TRACKING_URI": f"http://{LOOPBACK}:{ports.mlflow}",
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
                f"{', '.join(sorted(elsewhere))} would lead away from the embedded stack: unset it"
            )
        self.state.save(STACK_ENV_FILE, "".join(f"{name}={value}\n" for name, value in variables.items()))

        settings = self.settings()
        buckets = Buckets(
            uploads=settings.bucket_originals,
            others=(settings.bucket_variants, settings.bucket_lake, tansu.BUCKET, mlflow_server.BUCKET),
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

    def _bring_up(self, names: Collection[str], progress: Callable[[str], None]) -> None:
        """Start in the order of `ALL_SERVERS`, each as soon as those it needs are healthy."""
        needed = {need for name in names for need in self._servers[name].needs}
        to_start = [name for name in ALL_SERVERS if name in needed.union(names) and name not in self._children]
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
            raise EmbeddedStackError(f"{server.name} was called off")
        # Noted here, not by the waiting thread: that one stops listening at the first failure.
        self._children[server.name] = bring_up(server, self.state, abort)
        return server.name
