"""`photofeed features drift`: whether served features have drifted from the training set of the champion."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from training.cli.options import Until, utc

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from photofeed.models.contract import ModelContract
    from photofeed.settings import Settings
    from training.data.window import Window
    from training.monitoring.drift import Drift

app = typer.Typer(help="Features.")

_SHOWN = 5


@app.command("drift")
def drift(
    *,
    days: Annotated[float, typer.Option(help="Length of the window of served features, in days.", min=0.001)] = 1.0,
    until: Until = None,
    report: Annotated[Path | None, typer.Option(help="Write the HTML page of evidently to this file.")] = None,
) -> None:
    """Compare served features with the champion's training set, by population stability index and missing values.

    The values are logged to the champion's run in MLflow. A PSI of 0.1 is a warning. With 0.2 the exit code is 1.
    """
    from photofeed.models.registry import CHAMPION, ModelRegistry
    from photofeed.offline_store.lake import open_lake
    from photofeed.settings import load_settings
    from training.data.raw_logs import RawLogs
    from training.data.window import Window
    from training.errors import DriftError
    from training.monitoring.drift import ALARMING_PSI, WARNING_PSI, measure_drift, served_features
    from training.monitoring.drift_report import write_drift_report

    settings, window = load_settings(), Window.last(days, utc(until))
    with ModelRegistry.connect(settings) as registry:
        bundle = registry.fetch(CHAMPION, settings.state_dir / "models")
    served = served_features(RawLogs(open_lake(settings), settings.bucket_lake), bundle.contract, window)
    found = measure_drift(bundle.contract, served)
    _log(settings, bundle.contract.run_id, window, found)
    if report is not None:
        write_drift_report(report, bundle.contract.feature_names, _training_features(settings, bundle.contract), served)
    typer.echo(f"version {bundle.version}, {found.rows} items served from {window}; largest drift first:")
    for name, psi in list(found.psi.items())[: max(_SHOWN, len(found.above(WARNING_PSI)))]:
        before, now = found.missing[name]
        level = "alarm" if psi >= ALARMING_PSI else "warning" if psi >= WARNING_PSI else "fine"
        typer.echo(f"{level}\t{name}\tPSI {psi:.3f}\tmissing {before:.1%} before, {now:.1%} now")
    if alarming := found.above(ALARMING_PSI):
        raise DriftError(f"{len(alarming)} features have drifted from the training set of version {bundle.version}")


def _log(settings: "Settings", run_id: str, window: "Window", found: "Drift") -> None:
    from training.registry.tracking import mlflow_client

    with mlflow_client(settings) as client:
        from mlflow.entities import Metric

        at_ms = round(window.end.timestamp() * 1000)
        client.log_batch(run_id, metrics=[Metric(name, value, at_ms, 0) for name, value in found.metrics().items()])


def _training_features(settings: "Settings", contract: "ModelContract") -> "NDArray[np.float32]":
    """The features in the training window of the champion."""
    from training.data.dataset import build_dataset
    from training.data.sources import Sources
    from training.data.window import Window

    with Sources.open(settings) as sources:
        window = Window(contract.trained_from, contract.trained_until)
        return build_dataset(sources.with_program(contract.program), window).matrix
