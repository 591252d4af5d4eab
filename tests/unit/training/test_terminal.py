from collections.abc import Callable

import pytest

from training.dataset import Dataset
from training.evaluate import MODEL, evaluate
from training.terminal import TABLE_METRICS, evaluation_table, show


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
    show(f"a run that is called {'x' * 100} and so on")
    assert capsys.readouterr().out == f"a run that is called {'x' * 100} and so on\n"
