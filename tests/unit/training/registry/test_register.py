"""What a registered version states about itself. MLflow's server is replaced by what it is sent."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mlflow.exceptions
import mlflow.lightgbm
import numpy as np
import pytest

from photofeed.features.manifest import FeatureManifest
from photofeed.features.profile import FeatureProfile
from photofeed.features.ranking import FEATURE_NAMES, PROGRAM
from photofeed.models.contract import ModelContract
from photofeed.models.registry import CONTRACT_FILE, TABLES_FILE, sha256_of_file
from photofeed.models.scorer import UnsupportedModelError
from training.data.dataset import Dataset
from training.data.split import temporal_split
from training.ranker.parameters import TrainingParameters
from training.ranker.train import TrainedRanker, train
from training.registry import register as module
from training.registry.description import describe_version
from training.registry.register import SAMPLE_ROWS, log_model, register
from training.registry.tracking import METRICS_PER_REQUEST, git_commit, log_training
from training.registry.versions import list_versions

pytestmark = pytest.mark.filterwarnings("ignore:.*Any type hint:UserWarning")  # MLflow about its own classes

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SETTINGS: Any = SimpleNamespace(model_name="ranker")
SOURCES: Any = SimpleNamespace(manifest=FeatureManifest("v1", ()), program=PROGRAM)


@pytest.fixture
def ranker(dataset: Dataset) -> TrainedRanker:
    parts = temporal_split(dataset)
    return train(parts.train, parts.validation, TrainingParameters(rounds=10, threads=1))


@dataclass
class Logged:
    """What MLflow was given for one model."""

    files: dict[str, bytes] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)

    def log_model(self, flavour: Any, library: str, **options: Any) -> str:
        assert (flavour, library) == (mlflow.lightgbm, "lightgbm")
        self.options = options
        self.files = {Path(path).name: Path(path).read_bytes() for path in options["extra_files"]}
        return "model info"


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Logged:
    made = Logged()
    monkeypatch.setattr(module, "log_scored", made.log_model)
    return made


def _log(ranker: TrainedRanker, dataset: Dataset) -> ModelContract:
    contract, info = log_model(SETTINGS, SOURCES, ranker, dataset, temporal_split(dataset).test, "run-1")
    assert info == "model info"
    return contract


def test_the_contract_is_logged_beside_the_model(logged: Logged, ranker: TrainedRanker, dataset: Dataset) -> None:
    contract = _log(ranker, dataset)
    assert set(logged.files) == {Path(CONTRACT_FILE).name, Path(TABLES_FILE).name}
    assert ModelContract.from_json(logged.files[Path(CONTRACT_FILE).name]) == contract
    assert (contract.model_name, contract.run_id, contract.feature_service) == ("ranker", "run-1", "v1")
    assert (contract.trained_from, contract.trained_until) == (dataset.window.start, dataset.window.end)
    assert (contract.feature_names, contract.model_sha256) == (FEATURE_NAMES, ranker.sha256)
    assert contract.features == PROGRAM.features
    assert contract.program == PROGRAM
    assert contract.git_commit == git_commit()


def test_slates_are_unseen_from_the_first_one_of_the_test_part(
    logged: Logged, ranker: TrainedRanker, dataset: Dataset
) -> None:
    assert _log(ranker, dataset).unseen_from == EPOCH + timedelta(seconds=102)  # 85 % of 120 slates, one a second
    assert logged.files


def test_the_profile_is_of_the_rows_that_were_learned_from(
    logged: Logged, ranker: TrainedRanker, dataset: Dataset
) -> None:
    dataset.matrix[102 * 12 :] += 1000  # only the test part looks otherwise
    assert _log(ranker, dataset).profile == FeatureProfile.of(dataset.matrix[: 102 * 12])
    assert logged.files


def test_check_rows_are_real_and_hard_ones_with_exact_scores(
    logged: Logged, ranker: TrainedRanker, dataset: Dataset
) -> None:
    samples = _log(ranker, dataset).samples
    assert samples is not None
    rows, scores = samples.arrays()
    assert rows.shape == (2 * SAMPLE_ROWS, len(FEATURE_NAMES))
    assert np.array_equal(rows[0], dataset.matrix[0])
    assert np.array_equal(rows[SAMPLE_ROWS - 1], dataset.matrix[-1])
    assert np.array_equal(scores, ranker.score(rows))
    assert logged.files


def test_the_digest_of_the_tables_is_that_of_their_file(
    logged: Logged, ranker: TrainedRanker, dataset: Dataset, tmp_path: Path
) -> None:
    contract = _log(ranker, dataset)
    (tmp_path / "tables").write_bytes(logged.files[Path(TABLES_FILE).name])
    assert contract.tables_sha256 == sha256_of_file(tmp_path / "tables")


def test_a_model_that_only_lightgbm_scores_has_no_tables(
    logged: Logged, ranker: TrainedRanker, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(_: str) -> None:
        raise UnsupportedModelError("a category")

    monkeypatch.setattr(module, "build_tables", unsupported)
    monkeypatch.setattr(module, "parse_model", unsupported)
    contract = _log(ranker, dataset)
    assert contract.tables_sha256 is None
    assert set(logged.files) == {Path(CONTRACT_FILE).name}
    assert contract.samples is not None
    assert len(contract.samples.arrays()[1]) == SAMPLE_ROWS


class Client:
    """MLflow's client: one registered model, and what was asked of it."""

    def __init__(self, refusal: str | None = None, *, unnamed: bool = False) -> None:
        self.refusal = refusal
        self.unnamed = unnamed
        self.run_names: dict[str, str] = {}
        self.created: dict[str, Any] = {}

    def create_registered_model(self, name: str, description: str) -> None:
        assert name == "ranker"
        assert "champion" in description
        if self.refusal:
            raise mlflow.exceptions.RestException({"error_code": self.refusal, "message": ""})

    def create_model_version(self, name: str, **options: Any) -> Any:
        self.created = {"name": name, **options}
        return SimpleNamespace(version="3")

    def get_run(self, run_id: str) -> Any:
        return SimpleNamespace(info=SimpleNamespace(experiment_id=f"of {run_id}"))

    def update_run(self, run_id: str, name: str) -> None:
        if self.unnamed:
            raise mlflow.exceptions.MlflowException("away")
        self.run_names[run_id] = name


CONTRACT = ModelContract(
    "ranker", "run-1", FEATURE_NAMES, FeatureManifest("v1", ()), EPOCH, EPOCH + timedelta(days=1), "abc", ""
)
INFO = SimpleNamespace(model_uri="models:/m-1", model_id="m-1")


@pytest.mark.parametrize("refusal", [None, "RESOURCE_ALREADY_EXISTS"])
def test_the_first_and_every_later_version_is_registered(refusal: str | None) -> None:
    client = Client(refusal)
    assert register(client, CONTRACT, INFO) == "3"
    assert client.created == {
        "name": "ranker",
        "source": "models:/m-1",
        "run_id": "run-1",
        "model_id": "m-1",
        "tags": {"feature_service": "v1", "git_commit": "abc", "trained_until": "1970-01-02T00:00:00+00:00"},
        "description": describe_version("of run-1", "run-1", None),
    }
    assert client.run_names == {"run-1": "ranker version 3"}


def test_a_version_is_there_also_if_its_run_could_not_be_named() -> None:
    assert register(Client(unnamed=True), CONTRACT, INFO) == "3"


def test_another_refusal_of_mlflow_is_not_swallowed() -> None:
    client = Client("PERMISSION_DENIED")
    with pytest.raises(mlflow.exceptions.RestException):
        register(client, CONTRACT, INFO)
    assert client.created == {}


def test_validation_metrics_are_logged_from_step_1_in_requests_of_bounded_size(
    ranker: TrainedRanker, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests: list[list[Any]] = []
    params: dict[str, Any] = {}
    monkeypatch.setattr(mlflow, "log_params", params.update)
    client = SimpleNamespace(log_batch=lambda _, metrics: requests.append(metrics))
    long = replace(ranker, history={"ndcg_10": [float(i) for i in range(METRICS_PER_REQUEST + 5)]})
    log_training(client, "run-1", long)
    assert [len(metrics) for metrics in requests] == [METRICS_PER_REQUEST, 5]
    assert (requests[0][0].key, requests[0][0].step, requests[0][0].value) == ("validation_ndcg_10", 1, 0.0)
    assert requests[1][-1].step == METRICS_PER_REQUEST + 5
    assert (params["learning_rate"], params["iterations"]) == (0.03, ranker.iterations)


def test_versions_are_listed_newest_first_with_their_aliases(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(number: int, run_id: str | None) -> Any:
        tags = {"feature_service": "v1", "gates": "passed"} if number == 9 else {}
        return SimpleNamespace(version=str(number), tags=tags, run_id=run_id, creation_timestamp=86_400_000)

    class Found:
        def __enter__(self) -> Any:
            return self

        def __exit__(self, *_: object) -> None:
            return None

        def search_model_versions(self, query: str) -> list[Any]:
            assert query == "name = 'ranker'"
            return [version(9, "run-9"), version(10, None), version(2, "run-2")]

        def search_registered_models(self, query: str) -> list[Any]:
            assert query == "name = 'ranker'"
            return [SimpleNamespace(aliases={"champion": "9", "challenger": "9", "previous": "2"})]

        def get_run(self, run_id: str) -> Any:
            metrics = {"test_ndcg_10": 0.7, "ndcg_10": 0.1} if run_id == "run-9" else {}
            return SimpleNamespace(data=SimpleNamespace(metrics=metrics))

    monkeypatch.setattr("training.registry.versions.mlflow_client", lambda _: Found())
    found = list_versions(SETTINGS)
    assert [one.version for one in found] == ["10", "9", "2"]
    assert [one.aliases for one in found] == [(), ("challenger", "champion"), ("previous",)]
    assert [one.ndcg_10 for one in found] == [None, 0.7, None]
    assert [one.gates for one in found] == ["", "passed", ""]
    assert found[0].registered_at == EPOCH + timedelta(days=1)
