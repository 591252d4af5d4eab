"""`photofeed features skew`: whether training computes the features that were served."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from training.cli.options import utc

app = typer.Typer(help="Features.")

Days = Annotated[float, typer.Option(help="Length of the window, in days.", min=0.0001)]
Until = Annotated[datetime | None, typer.Option(help="End of the window, UTC. Default: five minutes ago.")]


@app.command("skew")
def skew(
    days: Days = 1.0,
    until: Until = None,
    rows: Annotated[int, typer.Option(help="The largest number of impressions to compare.", min=1)] = 20_000,
    version: Annotated[
        str, typer.Option(help="Compare the features of this version or alias. Default: those of `photofeed train`.")
    ] = "",
) -> None:
    """Compare features as served with those that training joins. Exit code 1 if they differ."""
    from photofeed.errors import ConflictError
    from photofeed.features.ranking import PROGRAM
    from photofeed.settings import load_settings
    from training.data.sources import Sources
    from training.data.window import Window
    from training.evaluation.champion import version_program
    from training.monitoring.skew import HISTORY_DELAY, LARGEST_DIFFERENCE, measure_skew

    window = Window.last(days, utc(until) or datetime.now(UTC) - HISTORY_DELAY)
    settings = load_settings()
    program = version_program(settings, version) if version else PROGRAM
    with Sources.open(settings) as sources:
        found = measure_skew(sources.with_program(program), window, rows)
    largest = max(found.differences.values())
    typer.echo(
        f"{found.rows} impressions, {len(found.differences)} features: largest difference {largest:.3g}; "
        f"{found.in_flight} values were left out because they changed during the request"
    )
    for name, difference in found.skewed.items():
        typer.echo(f"{name}\t{difference:.3g}")
    if found.skewed:
        raise ConflictError(f"{len(found.skewed)} features differ by more than {LARGEST_DIFFERENCE:g}")
