"""What MLflow's pages say of a version."""

from training.data.dataset import Dataset
from training.evaluation.evaluate import evaluate
from training.registry.description import UNCHECKED, describe_version, with_verdict


def test_a_version_is_described_by_its_metrics_its_verdict_and_its_card(dataset: Dataset) -> None:
    evaluation = evaluate(dataset, {"model": dataset.labels.astype(float)})
    metrics, verdict, links = describe_version("7", "run", evaluation).split("\n\n")
    assert metrics.startswith("NDCG@10 1.0000 (1.0000 to 1.0000), MAP ")
    assert "popularity +0." in metrics
    assert verdict == UNCHECKED
    assert "[Model card](#/experiments/7/runs/run/artifacts/model_card.md)" in links
    assert describe_version("7", "run", None).startswith("Not evaluated at its registration.")


def test_a_new_verdict_replaces_the_last_one_and_nothing_else() -> None:
    first = describe_version("7", "run", None)
    failed = with_verdict(first, "failed: drift")
    assert failed.split("\n\n")[1] == "Gates: failed: drift"
    assert with_verdict(failed, "passed").count("Gates: ") == 1
    assert with_verdict("Ask Ana first.", "passed") == "Ask Ana first.\n\nGates: passed"
    assert with_verdict("", "passed") == "Gates: passed"
