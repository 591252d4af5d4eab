import hashlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import numpy as np
import pytest

from photofeed.errors import NotFoundError, RetryableError
from photofeed.features.manifest import FeatureManifest, ManifestView
from photofeed.features.profile import FeatureProfile
from photofeed.models import mlflow_api
from photofeed.models.contract import DamagedModelError, ModelContract, ScoredSamples
from photofeed.models.mlflow_api import RefusedCallerError
from photofeed.models.registry import (
    CHAMPION,
    CONTRACT_FILE,
    MODEL_FILE,
    TABLES_FILE,
    ModelRegistry,
    NoContractError,
)
from photofeed.online_store.schema import FieldSpec, JoinKey, RowSchema
from photofeed.settings import Settings

MODEL, TABLES = b"tree\nversion=v4\n", b"tables"


def _contract() -> ModelContract:
    schema = RowSchema("photofeed", "post", (JoinKey("post_id", "INT64"),), (FieldSpec("likes", "DOUBLE", 0.0),))
    return ModelContract(
        model_name="feed-ranker",
        run_id="run-7",
        feature_names=("likes", "age"),
        manifest=FeatureManifest("feed_ranker_v1", (ManifestView(schema, {"likes": float("inf")}),)),
        trained_from=datetime(2026, 3, 1, tzinfo=UTC),
        trained_until=datetime(2026, 3, 2, tzinfo=UTC),
        git_commit="abc",
        model_sha256=hashlib.sha256(MODEL).hexdigest(),
        tables_sha256=hashlib.sha256(TABLES).hexdigest(),
    )


@dataclass
class MlflowServer:
    """The few answers of MLflow's REST API that a registry asks for, as a real server gives them."""

    files: dict[str, bytes]
    alias: dict[str, str] = field(default_factory=lambda: {CHAMPION: "3"})
    downloads: int = 0
    down: bool = False
    storage_down: bool = False
    registered: dict[str, str] = field(default_factory=lambda: {"run_id": "run-7", "source": "models:/m-7"})

    def __call__(self, request: httpx.Request) -> httpx.Response:
        query = dict(request.url.params)
        if self.down:
            raise httpx.ConnectError("connection refused")
        match request.url.path:
            case "/api/2.0/mlflow/registered-models/get":
                aliases = [{"alias": alias, "version": version} for alias, version in self.alias.items()]
                return httpx.Response(200, json={"registered_model": {"name": "feed-ranker", "aliases": aliases}})
            case "/api/2.0/mlflow/model-versions/get" if query["version"] == "3":
                return httpx.Response(200, json={"model_version": self.registered | {"aliases": list(self.alias)}})
            case "/model-versions/get-artifact" if query["path"] in self.files:
                self.downloads += 1
                return httpx.Response(200, content=self.files[query["path"]])
            case "/model-versions/get-artifact":  # MLflow 3.17 on S3
                return httpx.Response(500, json={"error_code": "INTERNAL_ERROR"})
            case "/api/2.0/mlflow/logged-models/m-7/artifacts/directories" if not self.storage_down:
                return httpx.Response(200, json={"files": [{"path": path} for path in self.files]})
            case "/api/2.0/mlflow/logged-models/m-7/artifacts/directories":
                return httpx.Response(500, json={"error_code": "INTERNAL_ERROR"})
        return httpx.Response(404, json={"error_code": "RESOURCE_DOES_NOT_EXIST"})

    def registry(self) -> ModelRegistry:
        client = httpx.Client(transport=httpx.MockTransport(self), base_url="http://mlflow")
        return ModelRegistry(client, "feed-ranker")


@pytest.fixture
def server() -> MlflowServer:
    return MlflowServer({CONTRACT_FILE: _contract().to_json(), MODEL_FILE: MODEL, TABLES_FILE: TABLES})


def test_a_contract_survives_json() -> None:
    contract = _contract()
    assert ModelContract.from_json(contract.to_json()) == contract
    assert contract.feature_service == "feed_ranker_v1"


def test_samples_and_profile_survive_json_to_the_bit() -> None:
    rows = np.array([[np.nan, 1e-45], [-np.inf, -0.0]], dtype=np.float32)
    scores = np.array([0.1, np.nextafter(0.1, 1)])
    profile = FeatureProfile.of(np.array([[0, 1], [np.nan, 2], [3, 2]], dtype=np.float32))
    contract = replace(_contract(), samples=ScoredSamples.of(rows, scores), profile=profile)
    read = ModelContract.from_json(contract.to_json())
    assert read == contract
    assert read.samples is not None
    got_rows, got_scores = read.samples.arrays()
    assert got_rows.tobytes() == rows.tobytes()
    assert got_scores.tobytes() == scores.tobytes()


def test_contracts_of_older_versions_are_still_read() -> None:
    text = _contract().to_json().decode()
    for name in ("unseen_from", "samples", "profile"):
        text = text.replace(f'  "{name}": null,\n', "").replace(f',\n  "{name}": null', "")
    assert "samples" not in text
    assert ModelContract.from_json(text.encode()) == _contract()


def test_what_is_no_contract_is_refused() -> None:
    for data in (b"{", b"[]", b'{"model_name": "x"}'):
        with pytest.raises(DamagedModelError):
            ModelContract.from_json(data)


def test_an_alias_leads_to_the_files_of_its_version(server: MlflowServer, tmp_path: Path) -> None:
    with server.registry() as registry:
        bundle = registry.fetch(CHAMPION, tmp_path)
    assert bundle.contract == _contract()
    assert (bundle.version, bundle.aliases) == ("3", (CHAMPION,))
    assert bundle.model_path.read_bytes() == MODEL
    assert bundle.tables_path is not None
    assert bundle.tables_path.read_bytes() == TABLES


def test_a_model_without_tables_comes_without(server: MlflowServer, tmp_path: Path) -> None:
    server.files = {CONTRACT_FILE: replace(_contract(), tables_sha256=None).to_json(), MODEL_FILE: MODEL}
    assert server.registry().fetch("3", tmp_path).tables_path is None


def test_a_version_is_downloaded_once(server: MlflowServer, tmp_path: Path) -> None:
    registry = server.registry()
    registry.fetch("3", tmp_path)
    registry.fetch(CHAMPION, tmp_path)
    assert server.downloads == 3


def test_files_that_were_changed_are_refused(server: MlflowServer, tmp_path: Path) -> None:
    server.files[MODEL_FILE] = MODEL + b"shrinkage=2\n"
    with pytest.raises(DamagedModelError, match=r"model\.lgb of feed-ranker version 3"):
        server.registry().fetch(CHAMPION, tmp_path)


@pytest.mark.parametrize("run_id", ["run-8", ""])
def test_files_of_another_run_are_refused(server: MlflowServer, tmp_path: Path, run_id: str) -> None:
    server.registered["run_id"] = run_id
    with pytest.raises(DamagedModelError, match=f"for run {run_id or 'unknown'}, and its files belong to run run-7"):
        server.registry().fetch(CHAMPION, tmp_path)


def test_a_version_of_a_known_run_does_not_hide_that_its_files_lie_elsewhere(
    server: MlflowServer, tmp_path: Path
) -> None:
    """A new registry may reuse a version number, or even a run id, for other files than those already downloaded."""
    server.registry().fetch(CHAMPION, tmp_path)
    server.registered["source"] = "models:/m-8"
    server.files[CONTRACT_FILE] = replace(_contract(), run_id="run-8").to_json()
    with pytest.raises(DamagedModelError, match="for run run-7, and its files belong to run run-8"):
        server.registry().fetch(CHAMPION, tmp_path)


def test_an_interrupted_download_leaves_nothing(server: MlflowServer, tmp_path: Path) -> None:
    tables = server.files.pop(TABLES_FILE)
    with pytest.raises(NotFoundError):
        server.registry().fetch("3", tmp_path)
    assert list(tmp_path.iterdir()) == []
    server.files[TABLES_FILE] = tables
    assert server.registry().fetch("3", tmp_path).version == "3"


def test_an_alias_nobody_set_stands_for_nothing(server: MlflowServer, tmp_path: Path) -> None:
    assert server.registry().current_version(CHAMPION) == "3"
    assert server.registry().current_version("previous") is None
    assert server.registry().aliases() == {CHAMPION: "3"}
    with pytest.raises(NotFoundError, match="previous"):
        server.registry().fetch("previous", tmp_path)
    with pytest.raises(NotFoundError):
        server.registry().fetch("99", tmp_path)


def test_a_server_that_is_down_is_told_from_a_missing_model(server: MlflowServer, tmp_path: Path) -> None:
    server.down = True
    registry = server.registry()
    unreachable = pytest.raises(RetryableError, match="MLflow does not answer at http://mlflow")
    with unreachable:
        registry.ping()
    with unreachable:
        registry.current_version(CHAMPION)
    with unreachable:
        registry.aliases()
    with unreachable:
        registry.fetch("3", tmp_path)


def test_a_version_without_a_contract_is_told_from_a_storage_that_is_down(server: MlflowServer, tmp_path: Path) -> None:
    contract = server.files.pop(CONTRACT_FILE)
    with pytest.raises(NoContractError, match=r"version 3 has no extra_files/contract\.json: it was not registered by"):
        server.registry().fetch("3", tmp_path)
    server.storage_down = True
    with pytest.raises(RetryableError, match="answered 500"):
        server.registry().fetch("3", tmp_path)
    server.files[CONTRACT_FILE] = contract
    server.storage_down = False
    assert server.registry().fetch("3", tmp_path).version == "3"


@pytest.mark.parametrize(
    "reply",
    [
        httpx.Response(404, text="404 page not found"),
        httpx.Response(404, json={"message": "no Route matched with those values"}),
        httpx.Response(400, text="Bad Request"),
        httpx.Response(400, json=["nothing"]),
        httpx.Response(503, text="no healthy upstream"),
        httpx.Response(200, json={"registered_model": {}}),
        httpx.Response(302, headers={"Location": "https://login.example"}),
    ],
    ids=["404", "404 json", "400", "400 json", "503", "200", "302"],
)
def test_the_answer_of_a_proxy_does_not_say_that_there_are_no_aliases(reply: httpx.Response) -> None:
    client = httpx.Client(transport=httpx.MockTransport(lambda _: reply), base_url="http://mlflow")
    with ModelRegistry(client, "feed-ranker") as registry, pytest.raises(RetryableError):
        registry.aliases()


def test_a_model_that_was_never_registered_has_no_aliases() -> None:
    unknown = httpx.Response(404, json={"error_code": "RESOURCE_DOES_NOT_EXIST"})
    client = httpx.Client(transport=httpx.MockTransport(lambda _: unknown), base_url="http://mlflow")
    with ModelRegistry(client, "feed-ranker") as registry:
        assert registry.aliases() == {}


@pytest.mark.parametrize(
    ("variables", "header"),
    [
        ({"MLFLOW_TRACKING_TOKEN": "t0"}, "Bearer t0"),
        ({"PHOTOFEED_MLFLOW_TRACKING_TOKEN": "t1", "MLFLOW_TRACKING_TOKEN": "t0"}, "Bearer t1"),
        ({"MLFLOW_TRACKING_USERNAME": "ana", "MLFLOW_TRACKING_PASSWORD": "s3cret"}, "Basic YW5hOnMzY3JldA=="),
        ({}, None),
    ],
    ids=["token", "own token", "password", "nothing"],
)
def test_requests_carry_the_credentials_of_mlflow(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], header: str | None
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings = Settings(state_dir=Path("none"))
    with mlflow_api.connect(settings) as client:
        request = client.build_request("GET", "/health")
        flow = client.auth.sync_auth_flow(request) if client.auth else iter([request])
        assert next(flow).headers.get("Authorization") == header
    own = {name: value for name, value in variables.items() if not name.startswith("PHOTOFEED_")}
    if "PHOTOFEED_MLFLOW_TRACKING_TOKEN" not in variables:
        assert settings.mlflow_environment == own


def test_rejected_credentials_are_named_and_a_password_in_the_address_is_not() -> None:
    settings = Settings(mlflow_tracking_uri="http://ana:s3cret@mlflow.example:5000")
    refusal = httpx.MockTransport(lambda _: httpx.Response(401, text="You are not authenticated"))
    client = httpx.Client(transport=refusal, base_url=settings.mlflow_tracking_uri)
    with ModelRegistry(client, "feed-ranker") as registry, pytest.raises(RefusedCallerError) as refused:
        registry.aliases()
    assert "MLFLOW_TRACKING_TOKEN" in str(refused.value)
    assert "s3cret" not in str(refused.value) + mlflow_api.address_of(settings)
