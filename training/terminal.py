"""Trainings and promotions as people see them in a terminal: progress bars and tables."""

from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from training.evaluate import Evaluation
from training.promote import Promotion
from training.versions import RegisteredVersion


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


def evaluation_table(evaluation: Evaluation) -> Table:
    """A row for each ranker, a column for each metric."""
    metrics = list(next(iter(evaluation.rankers.values())))
    table = Table("ranker", *metrics, title="The test part")
    for ranker, values in evaluation.rankers.items():
        table.add_row(ranker, *(f"{values[metric]:.4f}" for metric in metrics))
    return table


def gates_table(promotion: Promotion) -> Table:
    """A row for each gate."""
    table = Table("gate", "", "found", title=f"Gates of version {promotion.version}")
    for finding in promotion.findings:
        table.add_row(finding.gate, "[green]passed[/]" if finding.passed else "[red]failed[/]", finding.detail)
    return table


def versions_table(name: str, versions: list[RegisteredVersion]) -> Table:
    """A row for each registered version of the model `name`."""
    table = Table("version", "aliases", "registered", "NDCG@10", "gates", "features", "run", title=name)
    for version in versions:
        table.add_row(
            version.version,
            ", ".join(version.aliases),
            f"{version.registered_at:%Y-%m-%d %H:%M}",
            "" if version.ndcg_10 is None else f"{version.ndcg_10:.4f}",
            version.gates,
            version.feature_service,
            version.run_id,
        )
    return table
