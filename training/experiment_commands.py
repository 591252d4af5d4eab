"""`photofeed experiments`: what is declared, and what came of it."""

from datetime import UTC, datetime
from typing import Annotated

import typer

app = typer.Typer(help="A/B experiments between rankers.")

SAMPLE_RATIO_EXIT = 3


@app.command("list")
def list_experiments() -> None:
    """The declared experiments with their arms."""
    from photofeed.experiments import load_experiments  # noqa: PLC0415
    from photofeed.settings import load_settings  # noqa: PLC0415

    for experiment in load_experiments(load_settings().experiments_file).experiments:
        arms = ", ".join(f"{arm.name} {arm.share:.0%} by {arm.ranker}" for arm in experiment.arms)
        typer.echo(f"{experiment.name}: {arms}")


@app.command("report")
def report(
    name: Annotated[str, typer.Argument(help="Of an experiment in PHOTOFEED_EXPERIMENTS_FILE.")],
    *,
    days: Annotated[
        float, typer.Option(help="Of so many days; people's past before them is not read.", min=0.01)
    ] = 30.0,
    until: Annotated[datetime | None, typer.Option(help="End of the time, UTC; now unless given.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON.")] = False,
) -> None:
    """Lift of every arm over the first, with 95 % intervals. Exit code 3: the arms' sizes are not as declared."""
    import orjson  # noqa: PLC0415

    from photofeed.experiments import load_experiments  # noqa: PLC0415
    from photofeed.offline_store.lake import open_lake  # noqa: PLC0415
    from photofeed.settings import load_settings  # noqa: PLC0415
    from training.experiment_report import read_observations  # noqa: PLC0415
    from training.experiment_report import report as compare  # noqa: PLC0415
    from training.raw_logs import RawLogs  # noqa: PLC0415
    from training.terminal import experiment_table, show  # noqa: PLC0415
    from training.window import Window  # noqa: PLC0415

    settings = load_settings()
    experiment = load_experiments(settings.experiments_file).named(name)
    window = Window.last(days, until.replace(tzinfo=UTC) if until else None)
    logs = RawLogs(open_lake(settings), settings.bucket_lake)
    found = compare(experiment, read_observations(logs, experiment, window))
    if as_json:
        typer.echo(orjson.dumps(found.to_json()))
    else:
        show(experiment_table(found))
    if found.sample_ratio_alarm:
        typer.echo(f"the arms' sizes are not as declared (p = {found.sample_ratio_p:.2g}): believe no lift", err=True)
        raise typer.Exit(SAMPLE_RATIO_EXIT)
