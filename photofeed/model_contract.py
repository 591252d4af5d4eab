"""What a registered model promises, and how a server gets hold of it: no Feast, LightGBM or MLflow library needed.

MLflow's REST API is spoken directly: its Python client takes 1.5 s and 140 MB to import, which no server should carry
for a look at an alias every two seconds.
"""

import base64
import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import orjson
from numpy.typing import NDArray

from photofeed.errors import NotFoundError, PermanentError, RetryableError
from photofeed.features.manifest import FeatureManifest
from photofeed.features.profile import FeatureProfile
from photofeed.settings import Settings

if TYPE_CHECKING:
    import httpx

CHAMPION, PREVIOUS, CHALLENGER = "champion", "previous", "challenger"

# where training puts things inside a logged model, as MLflow lays it out
MODEL_FILE = "model.lgb"
CONTRACT_FILE = "extra_files/contract.json"
TABLES_FILE = "extra_files/scoring_tables.npz"

TIMEOUT_SECONDS = 10.0


class DamagedModelError(PermanentError):
    """The files of a registered model are not those that were registered."""

    code = "model_damaged"


@dataclass(frozen=True, slots=True)
class ScoredSamples:
    """Rows with what `Booster.predict(raw_score=True)` said of them, so that a server can check without LightGBM.

    `rows` (n, features) float32, `scores` (n,) float64; as bytes, because JSON has neither NaN nor infinities.
    """

    rows: bytes
    scores: bytes

    @classmethod
    def of(cls, rows: NDArray[np.float32], scores: NDArray[np.float64]) -> "ScoredSamples":
        """Samples from arrays."""
        return cls(np.ascontiguousarray(rows, "<f4").tobytes(), np.ascontiguousarray(scores, "<f8").tobytes())

    def arrays(self) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """The rows and their scores."""
        scores = np.frombuffer(self.scores, "<f8")
        return np.frombuffer(self.rows, "<f4").reshape(len(scores), -1), scores

    def to_plain(self) -> dict[str, str]:
        """The samples as JSON can hold them."""
        return {name: base64.b64encode(getattr(self, name)).decode() for name in self.__slots__}

    @classmethod
    def from_plain(cls, plain: dict[str, str]) -> "ScoredSamples":
        """The samples in `to_plain`'s answer."""
        return cls(**{name: base64.b64decode(plain[name], validate=True) for name in cls.__slots__})


@dataclass(frozen=True, slots=True)
class ModelContract:
    """What training vouches for.

    Attributes:
        model_name: the registered model.
        run_id: the MLflow run that made it.
        feature_names: the columns of the input matrix, in order.
        manifest: the stored features that the matrix is computed from, with layout, defaults and half-lives.
        trained_from, trained_until: the window of the dataset.
        git_commit: of the training code; empty where it did not run from a repository.
        model_sha256, tables_sha256: hex digests of the model text and of the scoring tables; None: there are no tables.
        unseen_from: when the first slate started that the model has not learned from.
        samples: rows and their exact scores.
        profile: what the features looked like in training.

    The last three are None in contracts of versions that were trained before there were any.
    """

    model_name: str
    run_id: str
    feature_names: tuple[str, ...]
    manifest: FeatureManifest
    trained_from: datetime
    trained_until: datetime
    git_commit: str
    model_sha256: str
    tables_sha256: str | None = None
    unseen_from: datetime | None = None
    samples: ScoredSamples | None = None
    profile: FeatureProfile | None = None

    @property
    def feature_service(self) -> str:
        """The FeatureService that the model was trained on."""
        return self.manifest.service

    def to_json(self) -> bytes:
        """The contract as JSON."""
        plain = {field: getattr(self, field) for field in self.__slots__}
        plain |= {
            "manifest": orjson.Fragment(self.manifest.to_json()),
            "samples": self.samples and self.samples.to_plain(),
            "profile": self.profile and self.profile.to_plain(),
        }
        return orjson.dumps(plain, option=orjson.OPT_INDENT_2)

    @staticmethod
    def from_json(data: bytes) -> "ModelContract":
        """The contract in `to_json`'s bytes.

        Raises:
            DamagedModelError: the bytes are no contract.
        """
        try:
            plain: dict[str, Any] = dict(orjson.loads(data))
            unseen_from, samples, profile = (plain.get(name) for name in ("unseen_from", "samples", "profile"))
            return ModelContract(
                **plain
                | {
                    "feature_names": tuple(plain["feature_names"]),
                    "manifest": FeatureManifest.from_json(orjson.dumps(plain["manifest"])),
                    "trained_from": datetime.fromisoformat(plain["trained_from"]),
                    "trained_until": datetime.fromisoformat(plain["trained_until"]),
                    "unseen_from": datetime.fromisoformat(unseen_from) if unseen_from else None,
                    "samples": ScoredSamples.from_plain(samples) if samples else None,
                    "profile": FeatureProfile.from_plain(profile) if profile else None,
                }
            )
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise DamagedModelError(f"not a model contract: {error!r}") from error


@dataclass(frozen=True, slots=True)
class ModelBundle:
    """One registered version, on local disk and checked against its contract."""

    contract: ModelContract
    version: str
    aliases: tuple[str, ...]
    model_path: Path
    tables_path: Path | None


class ModelRegistry:
    """The registered model `name` of an MLflow server, by REST. Safe to share between threads; close it after use."""

    def __init__(self, client: "httpx.Client", name: str) -> None:
        self._client = client
        self._name = name

    @staticmethod
    def connect(settings: Settings) -> "ModelRegistry":
        """The registry that the settings name."""
        import httpx  # noqa: PLC0415

        client = httpx.Client(base_url=settings.mlflow_tracking_uri, timeout=TIMEOUT_SECONDS)
        return ModelRegistry(client, settings.model_name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def ping(self) -> None:
        """Nothing, if the server answers.

        Raises:
            RetryableError: it does not.
        """
        self._get("/health", {})

    def current_version(self, alias: str) -> str | None:
        """The version that `alias` stands for; None where it stands for none.

        Raises:
            RetryableError: MLflow does not answer.
        """
        try:
            found = self._ask("registered-models/alias", "model_version", name=self._name, alias=alias)
        except NotFoundError:
            return None
        return str(found["version"])

    def aliases(self) -> dict[str, str]:
        """Every alias and the version it stands for; none where nothing was ever registered.

        Raises:
            RetryableError: MLflow does not answer.
        """
        try:
            registered = self._ask("registered-models/get", "registered_model", name=self._name)
        except NotFoundError:
            return {}
        return {one["alias"]: one["version"] for one in registered.get("aliases", ())}

    def fetch(self, alias_or_version: str, folder: Path) -> ModelBundle:
        """Download a version into a folder of its own in `folder`, unless it is there already, and check it.

        Raises:
            NotFoundError: no such alias or version, or one that training did not register with a contract.
            DamagedModelError: the files do not match the contract, or are those of another run than the version's.
            RetryableError: MLflow does not answer.
        """
        version = alias_or_version if alias_or_version.isdigit() else self.current_version(alias_or_version)
        if version is None:
            raise NotFoundError(f"{self._name} has no version with the alias {alias_or_version!r}")
        registered = self._ask("model-versions/get", "model_version", name=self._name, version=version)
        run_id, source = registered.get("run_id", ""), registered.get("source", "")
        # by where its files lie, not by its number: numbers start again in another registry
        local = folder / hashlib.blake2b(f"{run_id} {source}".encode(), digest_size=16).hexdigest()
        if not local.is_dir():
            self._download(version, local)
        bundle = _open_bundle(local, version, tuple(registered.get("aliases", ())))
        if bundle.contract.run_id != run_id:
            raise DamagedModelError(
                f"{self._name} version {version} is registered as of run {run_id or 'unknown'}, "
                f"but its files are those of run {bundle.contract.run_id}"
            )
        return bundle

    def _download(self, version: str, local: Path) -> None:
        """Write all files of a version at once, so that an interrupted download leaves nothing."""
        local.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=local.parent, prefix=".partial-") as partial:
            contract = self._artifact(version, CONTRACT_FILE)
            files = {CONTRACT_FILE: contract, MODEL_FILE: self._artifact(version, MODEL_FILE)}
            if ModelContract.from_json(contract).tables_sha256 is not None:
                files[TABLES_FILE] = self._artifact(version, TABLES_FILE)
            whole = Path(partial) / local.name
            for name, data in files.items():
                (whole / name).parent.mkdir(parents=True, exist_ok=True)
                (whole / name).write_bytes(data)
            if not local.is_dir():
                whole.rename(local)

    def _artifact(self, version: str, path: str) -> bytes:
        return self._get("/model-versions/get-artifact", {"name": self._name, "version": version, "path": path})

    def _ask(self, call: str, wanted: str, **query: str) -> dict[str, Any]:
        """What a call of MLflow's API says of `wanted`."""
        reply = self._get(f"/api/2.0/mlflow/{call}", query)
        try:
            return dict(orjson.loads(reply)[wanted])
        except (ValueError, KeyError, TypeError) as error:  # a proxy's page, perhaps: it may pass
            raise RetryableError(f"not MLflow answers at {self._client.base_url}: {reply[:80]!r}") from error

    def _get(self, path: str, query: Mapping[str, str]) -> bytes:
        import httpx  # noqa: PLC0415

        try:
            reply = self._client.get(path, params=query)
        except httpx.TransportError as error:
            raise RetryableError(f"MLflow does not answer at {self._client.base_url}: {error}") from error
        if reply.status_code in {httpx.codes.NOT_FOUND, httpx.codes.BAD_REQUEST}:
            raise NotFoundError(f"MLflow has no {' '.join(query.values())}")
        if not reply.is_success:
            raise RetryableError(f"MLflow answered {reply.status_code} to {path}")
        return reply.content


def _open_bundle(local: Path, version: str, aliases: tuple[str, ...]) -> ModelBundle:
    contract = ModelContract.from_json((local / CONTRACT_FILE).read_bytes())
    expected = {MODEL_FILE: contract.model_sha256, TABLES_FILE: contract.tables_sha256}
    for name, digest in expected.items():
        if digest is not None and sha256_of_file(local / name) != digest:
            raise DamagedModelError(f"{name} of {contract.model_name} version {version} is not the one registered")
    tables = local / TABLES_FILE if contract.tables_sha256 is not None else None
    return ModelBundle(contract, version, aliases, local / MODEL_FILE, tables)


def sha256_of_file(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
