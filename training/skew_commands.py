"""`photofeed features skew`: whether training sees what serving saw."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

app = typer.Typer(help="Features.")

Days = Annotated[float, typer.Option(help="Length of the window.", min=0.0001)]
Until = Annotated[datetime | None, typer.Option(help="End of the window, UTC; five minutes ago unless given.")]

# workers gather rows for a while before they write history
GATHERED = timedelta(minutes=5)


@app.command("skew")
def skew(
    days: Days = 1.0,
    until: Until = None,
    rows: Annotated[int, typer.Option(help="Most impressions to compare.", min=1)] = 20_000,
) -> None:
    """Compare features as served with those that training would join; exit code 1 where they differ."""
    from photofeed.errors import ConflictError  # noqa: PLC0415  `photofeed --help` stays fast
    from photofeed.settings import load_settings  # noqa: PLC0415
    from training.skew import LARGEST_DIFFERENCE, measure_skew  # noqa: PLC0415
    from training.sources import Sources  # noqa: PLC0415
    from training.window import Window  # noqa: PLC0415

    window = Window.last(days, until.replace(tzinfo=UTC) if until else datetime.now(UTC) - GATHERED)
    with Sources.open(load_settings()) as sources:
        found = measure_skew(sources, window, rows)
    largest = max(found.differences.values())
    typer.echo(
        f"{found.rows} impressions, {len(found.differences)} features: largest difference {largest:.3g}; "
        f"{found.in_flight} values changed while they were served"
    )
    for name, difference in found.skewed.items():
        typer.echo(f"{name}\t{difference:.3g}")
    if found.skewed:
        raise ConflictError(f"{len(found.skewed)} features differ by more than {LARGEST_DIFFERENCE:g}")
