import io
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from rich.console import Console

from photofeed.models.history import Move
from training.cli.terminal import TABLE_METRICS, evaluation_table, history_table, show
from training.data.dataset import Dataset
from training.evaluation.evaluate import MODEL, evaluate


def test_nothing_is_cut_of_a_table_or_a_sentence_that_is_piped(
    make_dataset: Callable[..., Dataset], capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = make_dataset(slates=30)
    evaluation = evaluate(dataset, {MODEL: dataset.matrix[:, 0].astype(float)})
    show(evaluation_table(evaluation))
    table = capsys.readouterr().out
    ahead = evaluation.difference("popularity", "ndcg_10")
    assert f"{ahead.value:+.4f} ({ahead.low:+.4f} to {ahead.high:+.4f})" in table
    assert all(metric in table for metric in TABLE_METRICS)
    assert "…" not in table
    narrow = Console(width=80, record=True, file=io.StringIO())
    narrow.print(evaluation_table(evaluation))
    assert "…" not in narrow.export_text(clear=False)
    assert f"{evaluation.rankers[MODEL]['ndcg_10']:.4f}" in narrow.export_text()
    show(f"a run that is called {'x' * 100} and so on")
    assert capsys.readouterr().out == f"a run that is called {'x' * 100} and so on\n"


def test_what_people_write_as_a_reason_is_shown_as_they_wrote_it(capsys: pytest.CaptureFixture[str]) -> None:
    reason = "forced: [/x] see [b]TICKET[/b] [1]"
    show(
        history_table("ranker", [Move(datetime(2026, 3, 1, tzinfo=UTC), "ranker", "champion", "2", "1", "ana", reason)])
    )
    assert reason in capsys.readouterr().out
