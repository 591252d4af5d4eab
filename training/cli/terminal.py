"""Terminal output of trainings and promotions: progress bars and tables."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Self

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from photofeed.models.history import Move
from training.evaluation.evaluate import MODEL, Evaluation
from training.evaluation.experiment_report import ExperimentReport
from training.evaluation.explore_log import LOGGED, MODEL_VALUE
from training.promotion.result import Promotion
from training.registry.versions import RegisteredVersion
from training.statistics.intervals import Interval
from training.statistics.off_policy import PolicyValue

MAX_WIDTH = 1000  # columns


def show(shown: RenderableType) -> None:
    """Print a sentence or a table. Output to a file or a pipe is as wide as necessary and never truncated."""
    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, min(Console(width=MAX_WIDTH).measure(shown).maximum, MAX_WIDTH))
    console.print(shown)


class ProgressBars:
    """An observer of trainings: one bar per stage."""

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
        """Finish the current stage and start another."""
        self._finish()
        self._bars.add_task(name, total=None)

    def progress(self, done: int, total: int) -> None:
        """The progress of the current stage."""
        self._bars.update(self._bars.task_ids[-1], completed=done, total=total)

    def _finish(self) -> None:
        if self._bars.task_ids:
            total = self._bars.tasks[-1].completed or 1
            self._bars.update(self._bars.task_ids[-1], completed=total, total=total)


TABLE_METRICS = ("ndcg_5", "ndcg_10", "ndcg_30", "map", "auc", "log_loss", "coverage_10", "popularity_10")


def evaluation_table(evaluation: Evaluation, title: str = "Test part") -> Table:
    """A column for each ranker, a row for each metric, and the difference between the model and each ranker."""
    rankers = evaluation.rankers
    rows = [[metric, *(f"{values[metric]:.4f}" for values in rankers.values())] for metric in TABLE_METRICS]
    ahead = ["" if one == MODEL else _bounds(evaluation.difference(one, "ndcg_10")) for one in rankers]
    return _table(title, ["", *rankers], [*rows, ["model minus ranker, NDCG@10", *ahead]])


def explore_line(values: Mapping[str, PolicyValue] | None) -> str:
    """The off-policy evaluation on explore slots, in a sentence."""
    if values is None:
        return "explore slots: too few were seen to estimate the engagement of the model in them"
    logged, model = values[LOGGED], values[MODEL_VALUE]
    return (
        f"explore slots: {logged.interval.value:.3f} of {logged.rows} seen posts were engaged with. Estimate for the "
        f"new model: {model.interval.value:.3f} ({model.interval.low:.3f} to {model.interval.high:.3f}), from "
        f"{model.effective_sample_size:.0f} effective rows"
    )


def _bounds(difference: Interval) -> str:
    return f"{difference.value:+.4f} ({difference.low:+.4f} to {difference.high:+.4f})"


def gates_table(promotion: Promotion) -> Table:
    """A row for each gate."""
    passed, failed = Text("passed", "green"), Text("failed", "red")
    rows = [(one.gate, passed if one.passed else failed, one.detail) for one in promotion.findings]
    return _table(f"Gates of version {promotion.version}", ["gate", "", "finding"], rows)


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
    return _table(f"Alias moves of {name}", ["time", "alias", "version", "former", "actor", "reason"], rows)


def experiment_table(report: ExperimentReport) -> Table:
    """A row for each arm."""
    cuped = f"CUPED removes {report.variance_removed:.0%} of the variance"
    headers = ["arm", "people", "slates", "engagement per slate", "lift", "lift, CUPED", "relative"]
    rows = []
    for arm in report.arms:
        lifts = ("" if lift is None else interval_text(lift, signed=True) for lift in (arm.lift, arm.adjusted_lift))
        relative = "" if arm.relative_lift is None else f"{arm.relative_lift:+.1%}"
        rows.append((arm.arm, str(arm.people), str(arm.slates), interval_text(arm.engagement), *lifts, relative))
    table = _table(report.experiment, headers, rows)
    table.caption = f"{cuped}; sample ratio check: p = {report.sample_ratio_p:.3f}"
    return table


def _table(title: str, headers: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> Table:
    """A table that a narrow terminal wraps instead of truncating. Brackets in cells are not markup."""
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
