"""Promotions while people read feeds: two small models take turns as champion."""

import tempfile
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np

from photofeed.feature_store import load_manifest
from photofeed.features.ranking import FEATURE_NAMES
from photofeed.models.alias_moves import locked_aliases, roll_back
from photofeed.models.contract import ModelContract, ScoredSamples
from photofeed.models.registry import CONTRACT_FILE, MODEL_FILE
from photofeed.models.scorer.model_text import sha256_of
from photofeed.object_store import S3ObjectStore
from photofeed.settings import Settings
from photofeed.unavailable import may_pass
from training.registry.tracking import mlflow_client

APART_SECONDS = 15.0
_ROWS, _TREES = 300, 5
_WHY = "make chaos"


def register_two(settings: Settings) -> None:
    """Register two small rankers, of which the second is champion and the first is what a rollback goes back to."""
    with mlflow_client(settings) as client:
        client.create_registered_model(settings.model_name)
        versions = [_register(settings, client, seed) for seed in range(2)]
    with locked_aliases(settings) as aliases:
        former = None
        for version in versions:
            aliases.move_champion(former, version, _WHY)
            former = version


def _register(settings: Settings, client: Any, seed: int) -> str:
    random = np.random.default_rng(seed)
    rows = random.normal(size=(_ROWS, len(FEATURE_NAMES))).astype(np.float32)
    learned = lightgbm.Dataset(rows, rows[:, 0] + random.normal(size=_ROWS), feature_name=list(FEATURE_NAMES))
    booster = lightgbm.train({"verbosity": -1, "num_threads": 1, "num_leaves": 7}, learned, _TREES)
    text, now = booster.model_to_string(), datetime.now(UTC)
    run = client.create_run(client.get_experiment_by_name("Default").experiment_id)
    contract = ModelContract(
        model_name=settings.model_name,
        run_id=run.info.run_id,
        feature_names=FEATURE_NAMES,
        manifest=load_manifest(settings, S3ObjectStore.connect(settings)),
        trained_from=now,
        trained_until=now,
        git_commit="",
        model_sha256=sha256_of(text),
        samples=ScoredSamples.of(rows[:8], booster.predict(rows[:8], raw_score=True)),
    )
    with tempfile.TemporaryDirectory() as folder:
        model, contract_file = Path(folder) / MODEL_FILE, Path(folder) / CONTRACT_FILE
        contract_file.parent.mkdir()
        model.write_text(text)
        contract_file.write_bytes(contract.to_json())
        client.log_artifacts(run.info.run_id, folder, "model")
    source = f"{run.info.artifact_uri}/model"
    version: str = client.create_model_version(settings.model_name, source, run.info.run_id).version
    return version


@dataclass(slots=True)
class Promoter:
    """Goes back to the other model again and again.

    Attributes:
        moves: how many moves of the champion were accepted.
    """

    settings: Settings
    moves: int = 0
    wrong: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def begin(self) -> None:
        """Start."""
        self._thread = threading.Thread(target=self._run, name="promoter", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Stop."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(APART_SECONDS):
            try:
                roll_back(self.settings, why=_WHY)
            except Exception as error:  # noqa: BLE001  whatever it was, it is waited for or told
                if not may_pass(error):
                    self.wrong.append(f"promotion\t{error!r}")
            else:
                self.moves += 1
