"""`photofeed experiments`: the declared experiments and their reports."""

from typing import Annotated

import typer

from training.cli.options import Json, Until, utc

app = typer.Typer(help="A/B experiments between rankers.")

SAMPLE_RATIO_EXIT = 3


@app.command("list")
def list_experiments() -> None:
    """List the declared experiments with their arms."""
    from photofeed.experiments import load_experiments
    from photofeed.settings import load_settings

    for experiment in load_experiments(load_settings(needs_secrets=False).experiments_file).experiments:
        arms = ", ".join(f"{arm.name} {arm.share:.0%} by {arm.ranker}" for arm in experiment.arms)
        typer.echo(f"{experiment.name}: {arms}")


@app.command("report")
def report(
    name: Annotated[str, typer.Argument(help="Name of an experiment in PHOTOFEED_EXPERIMENTS_FILE.")],
    *,
    days: Annotated[
        float, typer.Option(help="Length of the window, in days. Earlier engagement is not read.", min=0.01)
    ] = 30.0,
    until: Until = None,
    as_json: Json = False,
) -> None:
    """Report the lift of every arm over the first, with 95 % intervals. Exit code 3: sample ratio mismatch."""
    import orjson

    from photofeed.experiments import load_experiments
    from photofeed.offline_store.lake import open_lake
    from photofeed.settings import load_settings
    from training.cli.terminal import experiment_table, show
    from training.data.raw_logs import RawLogs
    from training.data.window import Window
    from training.evaluation.experiment_report import read_observations
    from training.evaluation.experiment_report import report as compare

    settings = load_settings()
    experiment = load_experiments(settings.experiments_file).named(name)
    window = Window.last(days, utc(until))
    logs = RawLogs(open_lake(settings), settings.bucket_lake)
    found = compare(experiment, read_observations(logs, experiment, window))
    if as_json:
        typer.echo(orjson.dumps(found.to_json()))
    else:
        show(experiment_table(found))
    if found.sample_ratio_alarm:
        mismatch = f"the sizes of the arms do not match the declared shares (p = {found.sample_ratio_p:.2g})"
        typer.echo(f"{mismatch}: the lifts are not reliable", err=True)
        raise typer.Exit(SAMPLE_RATIO_EXIT)
