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
from photofeed.model_contract import (
    CHAMPION,
    CONTRACT_FILE,
    MODEL_FILE,
    TABLES_FILE,
    DamagedModelError,
    ModelContract,
    ModelRegistry,
    ScoredSamples,
)
from photofeed.online_store.schema import FieldSpec, JoinKey, RowSchema

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
    registered: dict[str, str] = field(default_factory=lambda: {"run_id": "run-7", "source": "models:/m-7"})

    def __call__(self, request: httpx.Request) -> httpx.Response:
        query = dict(request.url.params)
        if self.down:
            raise httpx.ConnectError("connection refused")
        match request.url.path:
            case "/api/2.0/mlflow/registered-models/alias":
                version = self.alias.get(query["alias"])
                if version is None:
                    return httpx.Response(400, json={"error_code": "INVALID_PARAMETER_VALUE"})
                return httpx.Response(200, json={"model_version": {"version": version}})
            case "/api/2.0/mlflow/registered-models/get":
                aliases = [{"alias": alias, "version": version} for alias, version in self.alias.items()]
                return httpx.Response(200, json={"registered_model": {"aliases": aliases}})
            case "/api/2.0/mlflow/model-versions/get" if query["version"] == "3":
                return httpx.Response(200, json={"model_version": self.registered | {"aliases": list(self.alias)}})
            case "/model-versions/get-artifact" if query["path"] in self.files:
                self.downloads += 1
                return httpx.Response(200, content=self.files[query["path"]])
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
    with pytest.raises(DamagedModelError, match=f"of run {run_id or 'unknown'}, but its files are those of run run-7"):
        server.registry().fetch(CHAMPION, tmp_path)


def test_a_version_of_a_known_run_does_not_hide_that_its_files_lie_elsewhere(
    server: MlflowServer, tmp_path: Path
) -> None:
    """A registry made anew may give the number, and somebody the run, to other files than those downloaded before."""
    server.registry().fetch(CHAMPION, tmp_path)
    server.registered["source"] = "models:/m-8"
    server.files[CONTRACT_FILE] = replace(_contract(), run_id="run-8").to_json()
    with pytest.raises(DamagedModelError, match="of run run-7, but its files are those of run run-8"):
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
