"""`photofeed features drift`: whether what is served still looks like what the champion learned from."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from photofeed.model_contract import ModelContract
    from photofeed.settings import Settings
    from training.drift import Drift
    from training.window import Window

app = typer.Typer(help="Features.")

_SHOWN = 5


@app.command("drift")
def drift(
    *,
    days: Annotated[float, typer.Option(help="How far to look back at what was served.", min=0.001)] = 1.0,
    until: Annotated[datetime | None, typer.Option(help="From when, UTC; now unless given.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write evidently's page on it to this file, HTML.")] = None,
) -> None:
    """Compare features as served with the champion's training, by population stability index and missing values.

    The figures go to the champion's run in MLflow. From 0.1 on a feature is warned of; from 0.2 on the exit code is 1.
    """
    from photofeed.model_contract import CHAMPION, ModelRegistry  # noqa: PLC0415  `photofeed --help` stays fast
    from photofeed.offline_store.lake import open_lake  # noqa: PLC0415
    from photofeed.settings import load_settings  # noqa: PLC0415
    from training.drift import ALARMING_PSI, WARNING_PSI, drift_from, served_features  # noqa: PLC0415
    from training.drift_report import write_drift_report  # noqa: PLC0415
    from training.errors import DriftError  # noqa: PLC0415
    from training.raw_logs import RawLogs  # noqa: PLC0415
    from training.window import Window  # noqa: PLC0415

    settings, window = load_settings(), Window.last(days, until.replace(tzinfo=UTC) if until else None)
    with ModelRegistry.connect(settings) as registry:
        bundle = registry.fetch(CHAMPION, settings.state_dir / "models")
    served = served_features(RawLogs(open_lake(settings), settings.bucket_lake), bundle.contract, window)
    found = drift_from(bundle.contract, served)
    _log(settings, bundle.contract.run_id, window, found)
    if report is not None:
        write_drift_report(report, bundle.contract.feature_names, _learned(settings, bundle.contract), served)
    typer.echo(f"version {bundle.version}, {found.rows} items served from {window}; the most drifted:")
    for name, psi in list(found.psi.items())[: max(_SHOWN, len(found.above(WARNING_PSI)))]:
        before, now = found.missing[name]
        word = "alarm" if psi >= ALARMING_PSI else "warning" if psi >= WARNING_PSI else "fine"
        typer.echo(f"{word}\t{name}\tPSI {psi:.3f}\tmissing {before:.1%} before, {now:.1%} now")
    if alarming := found.above(ALARMING_PSI):
        raise DriftError(f"{len(alarming)} features have drifted from what version {bundle.version} learned from")


def _log(settings: "Settings", run_id: str, window: "Window", found: "Drift") -> None:
    from training.tracking import mlflow_client  # noqa: PLC0415

    with mlflow_client(settings) as client:
        from mlflow.entities import Metric  # noqa: PLC0415

        at_ms = round(window.end.timestamp() * 1000)
        client.log_batch(run_id, metrics=[Metric(name, value, at_ms, 0) for name, value in found.metrics().items()])


def _learned(settings: "Settings", contract: "ModelContract") -> "NDArray[np.float32]":
    """The features of the champion's training window."""
    from training.dataset import build  # noqa: PLC0415
    from training.sources import Sources  # noqa: PLC0415
    from training.window import Window  # noqa: PLC0415

    with Sources.open(settings) as sources:
        dataset = build(sources, Window(contract.trained_from, contract.trained_until))
    return dataset.matrix[:, [dataset.feature_names.index(name) for name in contract.feature_names]]
