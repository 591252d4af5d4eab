"""A running photofeed exposes the metrics that dashboards, alerts and recording rules read, and their labels."""

from collections.abc import Iterator

import httpx
import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import RunningApp
from tests.deploy.metrics import SERIES, declared, expressions, rules, selectors
from tools.prometheus import workers


@pytest.fixture(scope="module")
def exposed(running_app: RunningApp) -> list[Metric]:
    """What Prometheus would read of the API and of every worker."""
    ports = workers(running_app.settings.state_dir / "log")
    assert {"relay", "photos-1", "zoom", "features", "fanout", "archive", "removal", "sweeper", "pools"} <= ports.keys()
    addresses = [running_app.base_url, *(f"http://127.0.0.1:{port}" for port in ports.values())]
    texts = [httpx.get(f"{address}/metrics").raise_for_status().text for address in addresses]
    return [metric for text in texts for metric in text_string_to_metric_families(text)]


def _series(metrics: list[Metric]) -> Iterator[str]:
    """Names of series: those with labels have none before they first change, and are known by their kind."""
    for metric in metrics:
        for ending in SERIES.get(metric.type.capitalize(), ()):
            yield metric.name + ending


@pytest.mark.parametrize("where", expressions())
def test_an_expression_reads_what_a_running_stack_exposes(exposed: list[Metric], where: str) -> None:
    there = {"up", *_series(exposed), *(rule["record"] for rule in rules("recording"))}
    assert {selector.name for selector in selectors(expressions()[where])} - there == set()


def _counters(expression: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The counters that an expression, or a recording rule in it, reads, with the labels by which it chooses."""
    recorded = {rule["record"]: rule["expr"] for rule in rules("recording")}
    for selector in selectors(expression):
        if selector.name in recorded:
            yield from _counters(recorded[selector.name])
        elif selector.name.endswith("_total"):
            yield selector.name, dict(selector.equal)


@pytest.mark.parametrize("alert", rules("alerts"), ids=lambda alert: alert["alert"])
def test_the_counters_of_an_alert_are_there_before_they_first_count(
    exposed: list[Metric], alert: dict[str, str]
) -> None:
    # Prometheus takes no increase from the first sample of a series: the first fault would not be seen
    samples = [sample for metric in exposed for sample in metric.samples]
    for name, labels in _counters(alert["expr"]):
        assert [s for s in samples if s.name == name and labels.items() <= s.labels.items()], (name, labels)


def test_the_labels_are_those_that_the_code_declares(exposed: list[Metric]) -> None:
    samples = {
        (sample.name, frozenset(sample.labels))
        for metric in exposed
        for sample in metric.samples
        if sample.name in declared()
    }
    assert len({name for name, _ in samples}) > 20
    assert [(name, labels) for name, labels in samples if not labels <= declared()[name]] == []
    own = {name: {one for other, labels in samples if other == name for one in labels} for name, _ in samples}
    missing = {name: declared()[name] - {"job", "instance", "worker"} - labels for name, labels in own.items()}
    assert {name: labels for name, labels in missing.items() if labels} == {}
