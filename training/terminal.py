"""Trainings and promotions as people see them in a terminal: progress bars and tables."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Self

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from photofeed.model_history import Move
from training.evaluate import MODEL, Evaluation
from training.experiment_report import ExperimentReport
from training.explore_log import LOGGED, MODEL_VALUE
from training.intervals import Interval
from training.off_policy import PolicyValue
from training.promotion import Promotion
from training.versions import RegisteredVersion

WIDEST = 1000  # columns


def show(shown: RenderableType) -> None:
    """Print a sentence or a table; what is piped to a file or a program is as wide as it needs, and never cut."""
    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, min(Console(width=WIDEST).measure(shown).maximum, WIDEST))
    console.print(shown)


class ProgressBars:
    """An observer of trainings: one bar a stage."""

    def __init__(self) -> None:
        self._bars = Progress(
            SpinnerColumn(finished_text="✓"),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
        )

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._finish()
        self._bars.stop()

    def stage(self, name: str) -> None:
        """The stage before is done; another begins."""
        self._finish()
        self._bars.add_task(name, total=None)

    def progress(self, done: int, total: int) -> None:
        """How far the stage is."""
        self._bars.update(self._bars.task_ids[-1], completed=done, total=total)

    def _finish(self) -> None:
        if self._bars.task_ids:
            total = self._bars.tasks[-1].completed or 1
            self._bars.update(self._bars.task_ids[-1], completed=total, total=total)


TABLE_METRICS = ("ndcg_5", "ndcg_10", "ndcg_30", "map", "auc", "log_loss", "coverage_10", "popularity_10")


def evaluation_table(evaluation: Evaluation, title: str = "The test part") -> Table:
    """A column for each ranker, a row for each metric, and how far the model is ahead of it."""
    rankers = evaluation.rankers
    rows = [[metric, *(f"{values[metric]:.4f}" for values in rankers.values())] for metric in TABLE_METRICS]
    ahead = ["" if one == MODEL else _bounds(evaluation.difference(one, "ndcg_10")) for one in rankers]
    return _table(title, ["", *rankers], [*rows, ["model ahead, NDCG@10", *ahead]])


def explore_line(values: Mapping[str, PolicyValue] | None) -> str:
    """What explore slots tell of the model, in a sentence."""
    if values is None:
        return "explore slots: too few were seen to tell what the model would earn in them"
    logged, model = values[LOGGED], values[MODEL_VALUE]
    return (
        f"explore slots: {logged.interval.value:.3f} of {logged.rows} seen posts were engaged with; drawn by the model "
        f"{model.interval.value:.3f} ({model.interval.low:.3f} to {model.interval.high:.3f}) would be, "
        f"told by {model.effective_sample_size:.0f} effective rows"
    )


def _bounds(difference: Interval) -> str:
    return f"{difference.value:+.4f} ({difference.low:+.4f} to {difference.high:+.4f})"


def gates_table(promotion: Promotion) -> Table:
    """A row for each gate."""
    passed, failed = Text("passed", "green"), Text("failed", "red")
    rows = [(one.gate, passed if one.passed else failed, one.detail) for one in promotion.findings]
    return _table(f"Gates of version {promotion.version}", ["gate", "", "found"], rows)


def versions_table(name: str, versions: list[RegisteredVersion]) -> Table:
    """A row for each registered version of the model `name`."""
    rows = [
        (
            version.version,
            ", ".join(version.aliases),
            f"{version.registered_at:%Y-%m-%d %H:%M}",
            "" if version.ndcg_10 is None else f"{version.ndcg_10:.4f}",
            version.gates,
            version.feature_service,
            version.run_id,
        )
        for version in versions
    ]
    return _table(name, ["version", "aliases", "registered", "NDCG@10", "gates", "features", "run"], rows)


def history_table(name: str, moves: list[Move]) -> Table:
    """A row for each move of an alias of the model `name`."""
    rows = [
        (
            f"{move.at:%Y-%m-%d %H:%M:%S}",
            move.alias,
            move.version or "none",
            move.former or "",
            move.actor,
            move.reason,
        )
        for move in moves
    ]
    return _table(f"Who moved {name}", ["when", "alias", "version", "instead of", "who", "why"], rows)


def experiment_table(report: ExperimentReport) -> Table:
    """A row for each arm."""
    cuped = f"CUPED takes out {report.variance_removed:.0%} of the variance"
    headers = ["arm", "people", "slates", "engagement per slate", "lift", "lift, CUPED", "relative"]
    rows = []
    for arm in report.arms:
        lifts = ("" if lift is None else interval_text(lift, signed=True) for lift in (arm.lift, arm.adjusted_lift))
        relative = "" if arm.relative_lift is None else f"{arm.relative_lift:+.1%}"
        rows.append((arm.arm, str(arm.people), str(arm.slates), interval_text(arm.engagement), *lifts, relative))
    table = _table(report.experiment, headers, rows)
    table.caption = f"{cuped}; sizes of the arms: p = {report.sample_ratio_p:.3f}"
    return table


def _table(title: str, headers: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> Table:
    """A table of which a narrow terminal cuts nothing, and whose words are words, whatever brackets are in them."""
    table = Table(title=escape(title))
    for header in headers:
        table.add_column(header, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in row))
    return table


def interval_text(interval: Interval, *, signed: bool = False) -> str:
    """A value and its bounds."""
    sign = "+" if signed else ""
    return f"{interval.value:{sign}.3f} [{interval.low:{sign}.3f}, {interval.high:{sign}.3f}]"
