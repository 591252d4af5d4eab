"""Client of MLflow's model registry: aliases, versions and their files. Needs neither MLflow, Feast nor LightGBM.

It calls MLflow's REST API directly. Importing MLflow's Python client takes 1.5 s and 140 MB, which is too much for a
server that reads an alias every two seconds.
"""

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import orjson
import structlog

from photofeed.errors import NotFoundError, PermanentError, RetryableError
from photofeed.models import mlflow_api, version_scores
from photofeed.models.contract import LIGHTGBM, ONNX, DamagedModelError, ModelContract
from photofeed.models.mlflow_api import MlflowApi
from photofeed.settings import Settings

if TYPE_CHECKING:
    import httpx

log = structlog.get_logger(__name__)

CHAMPION, PREVIOUS, CHALLENGER = "champion", "previous", "challenger"

# paths inside a logged model, in the layout of MLflow
MODEL_FILE = "model.lgb"
MODEL_FILES = {LIGHTGBM: MODEL_FILE, ONNX: "model.onnx"}
"""Engine -> the file of its models, in the layout of MLflow's flavours."""
CONTRACT_FILE = version_scores.CONTRACT_FILE
TABLES_FILE = "extra_files/scoring_tables.npz"

# The begin of the source of a version that is a logged model of MLflow 3, or a copy of another version.
LOGGED_MODEL, COPY_OF = "models:/m-", "models:/"


# Tags of a version whose gates were checked, and the report of its run.
GATES, GATES_AT, GATES_BESIDE, FORCED = "gates", "gates_at", "gates_beside", "forced"
_FINDING = ("gate", "passed", "detail")


def report_path(at: str, kind: str = "json") -> str:
    """The file of a run that has the report of the gates of that moment, as JSON or as Markdown (`md`)."""
    return f"promotions/{at}.{kind}"


@dataclass(frozen=True, slots=True)
class GateFinding:
    """What one gate found."""

    gate: str
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class GateReport:
    """What the gates said about a version.

    Attributes:
        run_id: the run that trained it; None for a version without one.
        verdict: `passed`, or the gates that failed; None if they never checked it.
        at: when they checked it, ISO 8601.
        forced: who promoted it in spite of failed gates, and why.
        findings: of each gate; empty if the report is gone.
    """

    run_id: str | None
    verdict: str | None = None
    at: str | None = None
    forced: str | None = None
    findings: tuple[GateFinding, ...] = ()


class NoContractError(NotFoundError):
    """A registered version that `photofeed train` did not make: it has no contract, so no server can rank with it."""

    code = "model_without_contract"


class UnknownEngineError(PermanentError):
    """A registered version of a kind of model that this release cannot score."""

    code = "model_engine"


@dataclass(frozen=True, slots=True)
class ModelBundle:
    """One registered version, on local disk and checked against its contract."""

    contract: ModelContract
    version: str
    aliases: tuple[str, ...]
    model_path: Path
    tables_path: Path | None


class ModelRegistry:
    """The registered model `name` of an MLflow server. Safe to share between threads; close it after use."""

    def __init__(self, client: "httpx.Client", name: str) -> None:
        self._api = MlflowApi(client)
        self._name = name

    @staticmethod
    def connect(settings: Settings) -> "ModelRegistry":
        """The registry of the settings."""
        return ModelRegistry(mlflow_api.connect(settings), settings.model_name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    def ping(self) -> None:
        """Check that the server answers.

        Raises:
            RetryableError: it does not.
        """
        self._api.get("/health", {})

    def current_version(self, alias: str) -> str | None:
        """The version of an alias; None if the alias is not set.

        Raises:
            RetryableError: MLflow does not answer.
        """
        return self.aliases().get(alias)

    def aliases(self) -> dict[str, str]:
        """Alias -> version of the model; empty if no version was ever registered.

        Raises:
            RetryableError: MLflow does not answer, or the answer is not about this model.
        """
        try:
            registered = self._api.ask("registered-models/get", "registered_model", name=self._name)
        except NotFoundError:
            return {}
        if registered.get("name") != self._name:
            raise RetryableError(f"MLflow answered about {registered.get('name')!r}, not about {self._name}")
        return {one["alias"]: one["version"] for one in registered.get("aliases", ())}

    def set_alias(self, alias: str, version: str) -> None:
        """Point an alias to a version.

        Raises:
            NotFoundError: there is no such version.
            RetryableError: MLflow does not answer.
        """
        self._api.tell("POST", "registered-models/alias", name=self._name, alias=alias, version=version)

    def delete_alias(self, alias: str) -> None:
        """Take an alias away.

        Raises:
            RetryableError: MLflow does not answer.
        """
        self._api.tell("DELETE", "registered-models/alias", name=self._name, alias=alias)

    def gates(self, version: str) -> GateReport:
        """What the gates said about a version when they last checked it.

        Raises:
            NotFoundError: there is no such version.
            RetryableError: MLflow does not answer.
        """
        registered = self._api.ask("model-versions/get", "model_version", name=self._name, version=version)
        tags = {tag["key"]: tag["value"] for tag in registered.get("tags", ())}
        run_id, at = str(registered.get("run_id", "")), tags.get(GATES_AT)
        if not run_id or at is None:
            return GateReport(run_id or None)
        try:
            path = {"path": report_path(at), "run_uuid": run_id}
            plain = orjson.loads(self._api.get("/get-artifact", path))
            findings = tuple(GateFinding(**{key: one[key] for key in _FINDING}) for one in plain["findings"])
        except (NotFoundError, RetryableError, ValueError, KeyError, TypeError) as error:
            log.warning("no report of the gates", version=version, error=str(error))
            findings = ()
        return GateReport(run_id, tags.get(GATES), at, tags.get(FORCED), findings)

    def fetch(self, alias_or_version: str, folder: Path) -> ModelBundle:
        """Download a version into its own folder inside `folder`, unless it is already there, and check it.

        Raises:
            NotFoundError: there is no such alias or version.
            NoContractError: it was not registered by `photofeed train`.
            DamagedModelError: the files do not match the contract, or belong to another run than the version.
            RetryableError: MLflow does not answer.
        """
        version = alias_or_version if alias_or_version.isdigit() else self.current_version(alias_or_version)
        if version is None:
            raise NotFoundError(f"{self._name} has no version with the alias {alias_or_version!r}")
        registered = self._api.ask("model-versions/get", "model_version", name=self._name, version=version)
        run_id, source = registered.get("run_id", ""), registered.get("source", "")
        # named by run and location of its files, not by its number: numbers start again in another registry
        local = folder / hashlib.blake2b(f"{run_id} {source}".encode(), digest_size=16).hexdigest()
        if not local.is_dir():
            self._download(version, registered, local)
        bundle = _open_bundle(local, version, tuple(registered.get("aliases", ())))
        if bundle.contract.run_id != run_id:
            raise DamagedModelError(
                f"{self._name} version {version} is registered for run {run_id or 'unknown'}, "
                f"and its files belong to run {bundle.contract.run_id}"
            )
        return bundle

    def _download(self, version: str, registered: dict[str, Any], local: Path) -> None:
        """Download all files of a version, then rename their folder, so that an interrupted download leaves nothing."""
        local.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=local.parent, prefix=".partial-") as partial:
            contract = self._artifact(version, registered, CONTRACT_FILE)
            stated = ModelContract.from_json(contract)
            model_file = _model_file(stated, version)
            files = {CONTRACT_FILE: contract, model_file: self._artifact(version, registered, model_file)}
            if stated.tables_sha256 is not None:
                files[TABLES_FILE] = self._artifact(version, registered, TABLES_FILE)
            whole = Path(partial) / local.name
            for name, data in files.items():
                (whole / name).parent.mkdir(parents=True, exist_ok=True)
                (whole / name).write_bytes(data)
            if not local.is_dir():
                whole.rename(local)

    def _artifact(self, version: str, registered: dict[str, Any], path: str) -> bytes:
        """The content of a file of a version.

        MLflow answers 500 both if its storage is down and if the file does not exist, so the folder of the file is
        listed to tell the two apart.
        """
        query = {"name": self._name, "version": version, "path": path}
        try:
            return self._api.get("/model-versions/get-artifact", query)
        except NotFoundError as error:
            raise self._without(version, path) from error
        except RetryableError as error:
            if not self._lacks(registered, path):
                raise
            raise self._without(version, path) from error

    def _without(self, version: str, path: str) -> NotFoundError:
        known = f"{self._name} version {version} has no {path}"
        if path == CONTRACT_FILE:
            return NoContractError(f"{known}: it was not registered by `photofeed train`")
        return NotFoundError(known)

    def _lacks(self, registered: dict[str, Any], path: str) -> bool:
        """Whether the storage of MLflow answers, and the version has no such file. False if that is not known.

        Raises:
            RetryableError: the storage does not answer.
        """
        folder, source = path.rpartition("/")[0], str(registered.get("source", ""))
        try:
            if source.startswith(COPY_OF) and not source.startswith(LOGGED_MODEL):
                name, _, number = source.removeprefix(COPY_OF).rpartition("/")
                return self._lacks(
                    self._api.ask("model-versions/get", "model_version", name=name, version=number), path
                )
            if source.startswith(LOGGED_MODEL):
                call = f"logged-models/{source.removeprefix('models:/')}/artifacts/directories"
                listed = self._api.ask(call, artifact_directory_path=folder)
                return path not in {file["path"] for file in listed.get("files", ())}
            if not (run_id := registered.get("run_id")):
                return True  # photofeed registers no version without a run
            root = self._api.ask("artifacts/list", run_id=run_id)["root_uri"]
            if not source.startswith(f"{root}/"):
                return False
            inside = source.removeprefix(f"{root}/")
            listed = self._api.ask("artifacts/list", run_id=run_id, path=f"{inside}/{folder}".rstrip("/"))
            return f"{inside}/{path}" not in {file["path"] for file in listed.get("files", ())}
        except NotFoundError:
            return True  # the run or the logged model was deleted with its files


def _open_bundle(local: Path, version: str, aliases: tuple[str, ...]) -> ModelBundle:
    contract = ModelContract.from_json((local / CONTRACT_FILE).read_bytes())
    model_file = _model_file(contract, version)
    expected = {model_file: contract.model_sha256, TABLES_FILE: contract.tables_sha256}
    for name, digest in expected.items():
        if digest is not None and sha256_of_file(local / name) != digest:
            raise DamagedModelError(f"{name} of {contract.model_name} version {version} is not the one registered")
    tables = local / TABLES_FILE if contract.tables_sha256 is not None else None
    return ModelBundle(contract, version, aliases, local / model_file, tables)


def _model_file(contract: ModelContract, version: str) -> str:
    if contract.engine not in MODEL_FILES:
        known = ", ".join(MODEL_FILES)
        raise UnknownEngineError(f"version {version} is a model of {contract.engine!r}; this release knows {known}")
    return MODEL_FILES[contract.engine]


def sha256_of_file(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
