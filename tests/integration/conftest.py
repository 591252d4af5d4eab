"""Registered models on a real MLflow server: small rankers with their contracts."""

import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightgbm
import numpy as np
import pytest
from psycopg import sql
from pydantic import SecretStr

from photofeed import database
from photofeed.features.ranking import FEATURE_NAMES
from photofeed.models.contract import ModelContract, ScoredSamples
from photofeed.models.registry import CONTRACT_FILE, MODEL_FILE
from photofeed.models.scorer.model_text import sha256_of
from photofeed.settings import Settings
from tests.served_manifest import served_manifest
from training.registry.tracking import mlflow_client

if TYPE_CHECKING:
    from photofeed.embedded.stack import EmbeddedStack

Change = Callable[[ModelContract], ModelContract]


@dataclass(frozen=True)
class Models:
    """A registered model of one test. It has no version at first."""

    settings: Settings
    client: Any

    def register(self, change: Change = lambda contract: contract, *, seed: int = 0, text: str | None = None) -> str:
        """Register a new version. `change` and `text` make its contract or its model invalid."""
        rng = np.random.default_rng(seed)
        rows = rng.normal(size=(300, len(FEATURE_NAMES))).astype(np.float32)
        learned = lightgbm.Dataset(rows, rows[:, 0] + rng.normal(size=300), feature_name=list(FEATURE_NAMES))
        booster = lightgbm.train({"verbosity": -1, "num_threads": 1, "num_leaves": 7}, learned, 5)
        text = booster.model_to_string() if text is None else text
        run = self.client.create_run(self.client.get_experiment_by_name("Default").experiment_id)
        contract = ModelContract(
            model_name=self.settings.model_name,
            run_id=run.info.run_id,
            feature_names=FEATURE_NAMES,
            manifest=manifest(self.settings.feature_service),
            trained_from=datetime(2026, 3, 1, tzinfo=UTC),
            trained_until=datetime(2026, 3, 2, tzinfo=UTC),
            git_commit="",
            model_sha256=sha256_of(text),
            samples=ScoredSamples.of(rows[:8], booster.predict(rows[:8], raw_score=True)),
        )
        with tempfile.TemporaryDirectory() as folder:
            model, contract_file = Path(folder) / MODEL_FILE, Path(folder) / CONTRACT_FILE
            contract_file.parent.mkdir()
            model.write_text(text)
            contract_file.write_bytes(change(contract).to_json())
            self.client.log_artifacts(run.info.run_id, folder, "model")
        source = f"{run.info.artifact_uri}/model"
        version: str = self.client.create_model_version(self.settings.model_name, source, run.info.run_id).version
        return version

    def point(self, alias: str, version: str) -> None:
        """Move an alias as MLflow's web pages do."""
        self.client.set_registered_model_alias(self.settings.model_name, alias, version)


manifest = served_manifest


@pytest.fixture
def models(mlflow_stack: "EmbeddedStack", tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Models]:
    """A registered model with the name of the test."""
    settings = mlflow_stack.settings().model_copy(update={"model_name": request.node.name, "state_dir": tmp_path})
    database.migrate(settings)
    with mlflow_client(settings) as client:
        client.create_registered_model(settings.model_name)
        yield Models(settings, client)


@pytest.fixture(scope="session")
def new_database(stack: "EmbeddedStack") -> Callable[[], Settings]:
    """Makes settings of the stack with a new database, which is empty."""

    def make() -> Settings:
        settings, name = stack.settings(), f"new_{uuid.uuid4().hex[:8]}"
        with closing(database.connect(settings)) as connection:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        url = settings.database_url.get_secret_value()
        return settings.model_copy(update={"database_url": SecretStr(f"{url.rpartition('/')[0]}/{name}")})

    return make


@pytest.fixture
def empty_database(new_database: Callable[[], Settings]) -> Settings:
    """Settings of the stack with a new database."""
    return new_database()
