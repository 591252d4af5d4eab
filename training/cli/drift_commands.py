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
    largest_share: Annotated[
        float | None,
        typer.Option(help="Share of features that may have drifted. Default: that of the gates file.", min=0, max=1),
    ] = None,
) -> None:
    """Compare served features with the champion's training set, by population stability index.

    The judgement and its limits are those of the gate `drift`. The values are logged to the champion's run in MLflow.
    Exit code 1 if more features drifted than may.
    """
    from photofeed.models.registry import CHAMPION, ModelRegistry
    from photofeed.offline_store.lake import open_lake
    from photofeed.offline_store.tables import ENGAGEMENT
    from photofeed.settings import load_settings
    from training.data.raw_logs import RawLogs
    from training.data.window import Window
    from training.errors import DriftError
    from training.monitoring.drift import judge_drift, served_features
    from training.monitoring.drift_report import write_drift_report
    from training.promotion.gate_file import load_drift_gate

    settings, window = load_settings(), Window.last(days, utc(until))
    limits = load_drift_gate(settings.gates_file)
    with ModelRegistry.connect(settings) as registry:
        bundle = registry.fetch(CHAMPION, settings.state_dir / "models")
    logs, contract = RawLogs(open_lake(settings), settings.bucket_lake), bundle.contract
    served = served_features(logs, contract, window)
    found = judge_drift(
        contract,
        served,
        logs.first_hour(ENGAGEMENT),
        psi=limits.psi,
        largest_share=limits.largest_share if largest_share is None else largest_share,
    )
    _log(settings, contract.run_id, window, found)
    if report is not None:
        write_drift_report(report, contract.feature_names, _training_features(settings, contract), served.matrix, found)
    typer.echo(f"version {bundle.version}, {found.rows} items served from {window}")
    typer.echo(str(found))
    for one in found.features[: max(_SHOWN, len(found.drifted))]:
        missing = f"missing {one.missing_before:.1%} before, {one.missing_now:.1%} now"
        typer.echo(f"{one.verdict}\t{one.name}\tPSI {one.psi:.3f}, limit {one.limit:.3f}\t{missing}")
    if not found.passed:
        raise DriftError(
            f"{len(found.drifted)} features have drifted from the training set of version {bundle.version}"
        )


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
