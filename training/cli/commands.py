"""`photofeed train`, `retrain`, `evaluate`, `promote`, `rollback`, `models` and `models history`."""

from contextlib import nullcontext
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from training.cli import drift_commands, experiment_commands, skew_commands
from training.cli.options import Json, Until, utc
from training.ranker.parameters import DEFAULTS, TrainingParameters

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from photofeed.settings import Settings
    from training.ranker.train import Trainer

# A command imports everything else itself, so that `photofeed --help` stays fast.
app = typer.Typer(help="Train, promote and roll back the ranker.")
app.add_typer(experiment_commands.app, name="experiments")
app.add_typer(drift_commands.app, name="features")
app.add_typer(skew_commands.app, name="features")

Days = Annotated[float, typer.Option(help="Length of the window to learn from, in days.", min=0.01)]
Rounds = Annotated[int, typer.Option(help="The largest number of trees.", min=1)]
LEARNED_DAYS = 30.0
Force = Annotated[str, typer.Option("--force", metavar="REASON", help="Promote even if gates fail.")]


@app.command("train")
def train(
    *,
    days: Days = LEARNED_DAYS,
    until: Until = None,
    rounds: Rounds = DEFAULTS.rounds,
    seed: Annotated[int, typer.Option(help="The same seed and data give the same model.")] = DEFAULTS.seed,
    debias_position: Annotated[
        bool, typer.Option(help="Learn the effect of the position on labels, and leave it out of the scores.")
    ] = DEFAULTS.debias_position,
    heads: Annotated[bool, typer.Option("--heads", help="Train and compare a model per action, too. Slow.")] = False,
    search: Annotated[
        int, typer.Option(metavar="N", help="Search: try N sets of parameters first.", min=0, max=1000)
    ] = 0,
    dask: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Train on a Dask cluster: tcp://host:port, or local:2.")
    ] = "",
    like: Annotated[
        str, typer.Option(metavar="VERSION", help="Learn from the features of this version or alias.")
    ] = "",
    promote_too: Annotated[
        bool, typer.Option("--promote", help="Promote the new version if it passes the gates.")
    ] = False,
    force: Force = "",
) -> None:
    """Train a ranker on logged engagement, and register it in MLflow."""
    from photofeed.features.ranking import PROGRAM
    from photofeed.settings import load_settings
    from training.cli.terminal import ProgressBars, evaluation_table, explore_line, show
    from training.data.sources import Sources
    from training.data.window import Window
    from training.evaluation.champion import version_program
    from training.pipeline import train_and_register

    settings = load_settings()
    window = Window.last(days, utc(until))
    parameters = TrainingParameters(rounds=rounds, seed=seed, debias_position=debias_position)
    with ProgressBars() as bars, _trainer(dask) as trainer:
        bars.stage("feature store")
        with Sources.open(settings) as sources:
            trained = train_and_register(
                settings,
                sources,
                window,
                parameters,
                bars,
                trials=search,
                heads=heads,
                trainer=trainer,
                program=version_program(settings, like) if like else PROGRAM,
            )
    show(evaluation_table(trained.evaluation))
    show(explore_line(trained.explore))
    show(f"{settings.model_name} version [bold]{trained.version}[/] of run {trained.run_id}")
    if promote_too:
        _promote(settings, trained.version, force, now=window.end)


@app.command("retrain")
def retrain(
    *,
    days: Days = LEARNED_DAYS,
    until: Until = None,
    rounds: Rounds = DEFAULTS.rounds,
    promote_too: Annotated[
        bool, typer.Option("--promote", help="Promote the new version if it passes the gates.")
    ] = False,
) -> None:
    """For cron, Airflow or a CronJob: train, register as challenger, check the gates, and with --promote promote.

    The last line of the output is JSON. Exit codes: 0 promoted, or a challenger that passed the gates; 1 failed; 2
    wrong usage; 3 failed the gates; 4 no data to learn from; 75 a system is down or another retraining is running: try
    again later.
    """
    import orjson

    from photofeed.settings import load_settings
    from training.cli.terminal import ProgressBars
    from training.data.window import Window
    from training.retrain import retrain

    window = Window.last(days, utc(until))
    parameters = TrainingParameters(rounds=rounds)
    with ProgressBars() as bars:
        done = retrain(load_settings(), window, parameters, promote_too=promote_too, observer=bars)
    typer.echo(orjson.dumps(done.to_json()))
    raise typer.Exit(done.outcome.exit_code)


@app.command("evaluate")
def evaluate(
    version: Annotated[str, typer.Argument(help="A version number or an alias.")],
    *,
    days: Annotated[float, typer.Option(help="Length of the evaluation window, in days.", min=0.01)] = 7.0,
    until: Until = None,
    against: Annotated[list[str] | None, typer.Option(help="Another version to compare. May be repeated.")] = None,
    as_json: Json = False,
) -> None:
    """Evaluate a registered version on recent engagement, beside the champion and the baselines.

    Slates that the version learned from are left out if enough later ones are there. Two of the baselines learn, from
    the slates that the version learned from: `als`, who engaged with what, and `nine_counters`, LightGBM on the
    counters of a post.
    """
    import orjson
    from rich.markup import escape

    from photofeed.settings import load_settings
    from training.cli.terminal import evaluation_table, show
    from training.data.sources import Sources
    from training.data.window import Window
    from training.evaluation.compare_versions import compare_versions

    settings = load_settings()
    window = Window.last(days, utc(until))
    with Sources.open(settings) as sources:
        found = compare_versions(settings, sources, version, window, against or [])
    if as_json:
        typer.echo(orjson.dumps(found.to_json()))
        return
    show(
        evaluation_table(
            found.evaluation, f"Version {found.version} on {found.dataset.slates} slates, {found.dataset.window}"
        )
    )
    for baseline, reason in found.left_out.items():
        show(f"{baseline} was left out: {escape(reason)}")
    if found.learned_share:
        trained_on = f"version {found.version} was trained on {found.learned_share:.0%} of these slates"
        show(f"{trained_on}: its metrics are inflated")
    if found.learned_slates:
        show(f"{found.learned_slates} slates were left out: version {found.version} was trained on them")


@app.command("promote")
def promote(
    version: Annotated[str, typer.Argument(help="A version number or an alias.")],
    *,
    force: Force = "",
    report: Annotated[Path | None, typer.Option(help="Write the report to this file, as Markdown.")] = None,
) -> None:
    """Make a version the champion if it passes the gates. They compare it with the current champion."""
    from photofeed.settings import load_settings

    _promote(load_settings(), version, force, report=report)


@app.command("preview")
def preview(
    *,
    user: Annotated[str, typer.Option(help="Handle of the viewer.")],
    models: Annotated[str, typer.Option(help="Aliases or version numbers, separated by commas.")] = "champion",
    out: Annotated[Path, typer.Option(help="File for the HTML page.")] = Path("preview.html"),
) -> None:
    """Write a page with one viewer's feed under several models side by side, with pictures and reasons."""
    from photofeed.settings import load_settings
    from training.cli.preview import preview
    from training.cli.preview_page import as_html

    found = preview(load_settings(), user, [model.strip() for model in models.split(",") if model.strip()])
    out.write_text(as_html(found))
    typer.echo(f"{out}: {', '.join(found.columns)}")


@app.command("rollback")
def rollback(*, reason: Annotated[str, typer.Option(help="Why, for the history.")] = "") -> None:
    """Make the champion before this one the champion again. Versions that servers refuse are skipped."""
    from photofeed.models.alias_moves import ROLLED_BACK, roll_back
    from photofeed.settings import load_settings
    from training.cli.terminal import show

    settings = load_settings()
    former, version = roll_back(settings, why=reason or ROLLED_BACK)
    show(f"{settings.model_name}: champion is version [bold]{version}[/] again, instead of {former or 'no version'}")


models = typer.Typer(help="Registered versions, and the history of aliases.", invoke_without_command=True)
app.add_typer(models, name="models")


@models.callback()
def list_models(
    context: typer.Context,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON per version.")] = False,
) -> None:
    """List the registered versions, newest first."""
    if context.invoked_subcommand:
        return
    import orjson

    from photofeed.settings import load_settings
    from training.cli.terminal import show, versions_table
    from training.registry.versions import list_versions

    settings = load_settings()
    found = list_versions(settings)
    if not as_json:
        show(versions_table(settings.model_name, found))
        return
    for version in found:
        typer.echo(orjson.dumps(version))


@models.command("history")
def history(
    *,
    alias: Annotated[str, typer.Option(help="Only this alias, such as champion.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="The largest number of moves, newest first.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON per move.")] = False,
) -> None:
    """List which version was live when, who moved the alias, and why. Includes moves made in MLflow itself."""
    import orjson

    from photofeed.models.history import moves
    from photofeed.settings import load_settings
    from training.cli.terminal import history_table, show

    settings = load_settings()
    found = moves(settings, settings.model_name, alias or None, limit)
    if not as_json:
        show(history_table(settings.model_name, found))
        return
    for move in found:
        typer.echo(orjson.dumps(move))


def _trainer(dask: str) -> "AbstractContextManager[Trainer]":
    """The trainer: this process, or the Dask cluster at this address."""
    if dask:
        from training.ranker.distributed_training import dask_trainer

        return dask_trainer(dask)
    from training.ranker.train import train

    return nullcontext(train)


def _promote(
    settings: "Settings", version: str, force: str, *, now: datetime | None = None, report: Path | None = None
) -> None:
    from rich.markup import escape

    from training.cli.terminal import gates_table, show
    from training.errors import RefusedError
    from training.promotion.gate_report import as_markdown
    from training.promotion.promote import promote

    promotion = promote(settings, version, force=force or None, now=now)
    show(gates_table(promotion))
    if report:
        report.write_text(as_markdown(promotion))
    if not promotion.moved:
        champion = f"the champion is still version {promotion.former}" if promotion.former else "there is no champion"
        failed = "; ".join(f"{one.gate} ({one.detail})" for one in promotion.findings if not one.passed)
        raise RefusedError(f"version {promotion.version} failed its gates: {failed}; {champion}")
    forced = "" if promotion.passed else f", forced: {escape(str(promotion.forced))}"
    show(f"{settings.model_name}: champion is version [bold]{promotion.version}[/]{forced}")
