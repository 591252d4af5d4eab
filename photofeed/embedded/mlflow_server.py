"""The MLflow tracking server and model registry: data in PostgreSQL, artifacts proxied to object storage."""

import sys
from importlib.util import find_spec

from photofeed.embedded import http_probe
from photofeed.embedded.child import Launch, base_environment
from photofeed.embedded.errors import MissingProgramError
from photofeed.embedded.ports import LOOPBACK
from photofeed.embedded.postgres import MLFLOW_DATABASE, Postgres
from photofeed.embedded.seaweedfs import SeaweedFS
from photofeed.embedded.state import StateFolder

BUCKET = "mlflow"


class MlflowServer:
    """MLflow: runs, models and aliases."""

    name = "mlflow"
    needs: tuple[str, ...] = ("postgres",)
    start_seconds = 240.0  # without compiled bytecode its imports take over a minute on a busy machine

    def __init__(self, state: StateFolder, port: int, database: Postgres, storage: SeaweedFS) -> None:
        if find_spec("mlflow") is None:
            raise MissingProgramError("mlflow is not installed: pip install photofeed")
        self._folder = state.path / self.name
        self._port = port
        self._database = database
        self._storage = storage

    @property
    def url(self) -> str:
        """The tracking URI."""
        return f"http://{LOOPBACK}:{self._port}"

    def prepare(self) -> None:
        """Create its working folder."""
        self._folder.mkdir(mode=0o700, exist_ok=True)

    def launch(self) -> Launch:
        """Pass URIs with passwords as environment variables, because every process list shows command lines.

        The Host header is restricted to this address, so that no web page reaches the server by DNS rebinding.
        """
        database = self._database.url(MLFLOW_DATABASE).replace("postgresql://", "postgresql+psycopg://", 1)
        environment = self._storage.client_environment() | {
            "MLFLOW_BACKEND_STORE_URI": database,
            "MLFLOW_ARTIFACTS_DESTINATION": f"s3://{BUCKET}/artifacts",
            "MLFLOW_S3_ENDPOINT_URL": self._storage.url,
            "MLFLOW_SERVER_ALLOWED_HOSTS": f"{LOOPBACK}:{self._port},localhost:{self._port}",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "DO_NOT_TRACK": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # extra Python processes that photofeed does not use
        }
        argv = [sys.executable, "-m", "photofeed.embedded.mlflow_process", str(self._port)]
        return Launch(argv, base_environment() | environment, cwd=self._folder, stop_seconds=20)

    def probe(self) -> None:
        """Request its health endpoint."""
        http_probe.get(f"{self.url}/health")

    def provision(self) -> None:
        """Nothing to do: the server migrates its database itself."""
