"""`photofeed features drift` on real servers: what it says, what it leaves in MLflow, how it ends."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from photofeed.features.profile import FeatureProfile
from photofeed.features.ranking import FEATURE_NAMES
from photofeed.models.registry import CHAMPION
from photofeed.offline_store.lake import LakeFolder, open_lake
from photofeed.offline_store.tables import FEED_SERVED
from training.cli.drift_commands import app
from training.errors import DriftError

if TYPE_CHECKING:
    from photofeed.embedded.stack import EmbeddedStack
    from photofeed.settings import Settings

STEADY, CHANGED = datetime(2019, 5, 3, 12, tzinfo=UTC), datetime(2019, 5, 5, 12, tzinfo=UTC)  # days of its own

# MLflow about its own classes
pytestmark = pytest.mark.filterwarnings("ignore:.*Any type hint:UserWarning")


def _served(settings: "Settings", at: datetime, rows: NDArray[np.float32]) -> None:
    table = pa.table(
        {
            "served_at": pa.array([at] * len(rows), pa.timestamp("us", tz="UTC")),
            "feature_names": pa.array([FEATURE_NAMES] * len(rows), pa.list_(pa.string())),
            "features": pa.array(list(rows), pa.list_(pa.float32())),
            "slate_id": [str(number) for number in range(len(rows))],
            **{name: np.arange(len(rows)) for name in ("user_id", "post_id", "creator_id")},
        }
    )
    open_lake(settings).append(LakeFolder(settings.bucket_lake, FEED_SERVED), table, "served_at")


def test_drift_is_told_kept_in_mlflow_and_ends_in_an_exit_code(
    models: Any, mlflow_stack: "EmbeddedStack", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHOTOFEED_STATE_DIR", str(mlflow_stack.state.path))
    monkeypatch.setenv("PHOTOFEED_MODEL_NAME", models.settings.model_name)
    learned, steady, changed = (
        np.random.default_rng(seed).normal(size=(2000, len(FEATURE_NAMES))).astype(np.float32) for seed in range(3)
    )
    version = models.register(lambda contract: replace(contract, profile=FeatureProfile.of(learned)))
    models.point(CHAMPION, version)
    run_id = models.client.get_model_version(models.settings.model_name, version).run_id
    changed[:, FEATURE_NAMES.index("aspect")] *= 5
    changed[:, FEATURE_NAMES.index("hour_of_day")] *= 5
    _served(models.settings, STEADY, steady)
    _served(models.settings, CHANGED, changed)

    def drift(at: datetime, *options: str) -> Any:
        until = (at + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S")
        return CliRunner().invoke(app, ["--days", "1", "--until", until, *options])

    calm = drift(STEADY)
    assert calm.exit_code == 0, calm.output
    assert f"version {version}, 2000 items served" in calm.output
    assert "drifted\t" not in calm.output
    few = drift(CHANGED)
    assert few.exit_code == 0, few.output  # one feature of 48 is fewer than the gate refuses
    alarming = drift(CHANGED, "--largest-share", "0")
    assert isinstance(alarming.exception, DriftError)
    assert "drifted\taspect\tPSI" in alarming.output
    assert "drifted\thour_of_day" not in alarming.output
    worst = [point.value for point in models.client.get_metric_history(run_id, "drift_psi_worst")]
    assert worst[0] < 0.1
    assert worst[1] == models.client.get_run(run_id).data.metrics["drift_psi_aspect"] > 0.2
