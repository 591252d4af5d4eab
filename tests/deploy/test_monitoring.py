"""Rules, alerts, runbooks and dashboards: every expression reads metrics that the code has."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.deploy.deployment import DEPLOY, ROOT, image_variables, services
from tests.deploy.metrics import DASHBOARDS, declared, expressions, grouped_by, rules, selectors
from tools.dashboards.panels import Dashboard

RUNBOOKS = ROOT / "docs" / "runbooks"
PROMETHEUS = DEPLOY / "prometheus"
PROMTOOL = shutil.which("promtool")

needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed: apt-get install prometheus")


def _recorded() -> dict[str, set[str]]:
    return {rule["record"]: grouped_by(rule["expr"]) for rule in rules("recording")}


@pytest.mark.parametrize("where", expressions())
def test_an_expression_reads_series_and_labels_that_there_are(where: str) -> None:
    expression = expressions()[where]
    known = declared() | {name: frozenset(labels) for name, labels in _recorded().items()}
    read = list(selectors(expression))
    assert read
    for selector in read:
        assert selector.name in known, selector.name
        assert selector.labels - known[selector.name] == set(), selector
    assert grouped_by(expression) <= set().union(*(known[selector.name] for selector in read))


def test_every_metric_is_named_by_a_test_beside_those_of_the_deployment() -> None:
    """A reminder and no proof: somebody has to write what the metric must be, and when it must not move."""
    files = [file for file in (ROOT / "tests").rglob("*.py") if "deploy" not in file.relative_to(ROOT).parts]
    text = "\n".join(file.read_text() for file in files)
    metrics = {re.sub("_(total|count|sum|bucket)$", "", series) for series in declared() if series != "up"}
    assert metrics
    unnamed = {one for one in metrics if not re.search(rf"\b{one}(_(total|count|sum|bucket))?(\b|_{{)", text)}
    assert unnamed == set()


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: dashboard.name)
def test_a_legend_names_labels_that_its_expression_keeps(dashboard: Dashboard) -> None:
    known = declared() | {name: frozenset(labels) for name, labels in _recorded().items()}
    for panel in dashboard.panels:
        for expression, legend in panel.queries.items():
            kept = grouped_by(expression) or set().union(*(known[one.name] for one in selectors(expression)))
            assert set(re.findall(r"\{\{(\w+)\}\}", legend)) <= kept, panel.title


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: dashboard.name)
def test_the_file_of_a_dashboard_is_what_make_dashboards_writes(dashboard: Dashboard) -> None:
    text = (DEPLOY / "grafana" / "dashboards" / f"{dashboard.name}.json").read_text()
    assert text == dashboard.to_json()
    panels = json.loads(text)["panels"]
    assert len({(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}) == len(panels)


def test_no_dashboard_is_left_over() -> None:
    files = {file.stem for file in (DEPLOY / "grafana" / "dashboards").iterdir()}
    assert files == {dashboard.name for dashboard in DASHBOARDS}


@pytest.mark.parametrize("alert", rules("alerts"), ids=lambda alert: alert["alert"])
def test_an_alert_has_a_severity_a_summary_and_a_runbook(alert: dict[str, dict[str, str]]) -> None:
    assert alert["labels"]["severity"] in {"page", "ticket"}
    assert alert["annotations"]["summary"]
    runbook = ROOT / alert["annotations"]["runbook"]
    lines = runbook.read_text().splitlines()
    assert lines[0] == f"# {alert['alert']}"
    assert {"## Look at", "## Mend"} <= set(lines)


def test_every_runbook_is_of_an_alert_and_in_the_index() -> None:
    named = {(ROOT / alert["annotations"]["runbook"]).name for alert in rules("alerts")}
    assert {file.name for file in RUNBOOKS.iterdir()} == named | {"README.md"}
    index = (RUNBOOKS / "README.md").read_text()
    for alert in rules("alerts"):
        name = Path(alert["annotations"]["runbook"]).name
        assert f"| [{alert['alert']}]({name}) | {alert['labels']['severity']} |" in index


def test_every_alert_is_tested_where_it_fires_and_where_it_does_not() -> None:
    document = yaml.safe_load((PROMETHEUS / "tests" / "alerts.yml").read_text())
    tested = [
        (case["alertname"], bool(case["exp_alerts"])) for test in document["tests"] for case in test["alert_rule_test"]
    ]
    assert sorted(tested) == sorted((rule["alert"], fires) for rule in rules("alerts") for fires in (False, True))


def test_every_promise_is_watched_by_a_metric() -> None:
    lines = (ROOT / "docs" / "promises.md").read_text().splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    columns = len(rows[0])  # of the promises, which come first; other tables have fewer
    (_, *promises) = [row for row in rows if len(row) == columns and not set("".join(row)) <= set("- |")]
    watched = {row[0]: row[3] for row in promises}
    assert len(promises) > 10
    commands = {promise for promise, metric in watched.items() if metric == "exit code"}
    assert [promise.partition(" has")[0] for promise in commands] == ["A restored backup"]
    metrics = {metric.strip("`") for promise, metric in watched.items() if promise not in commands}
    assert metrics - declared().keys() == set()


@needs_promtool
@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "config", "--syntax-only", "prometheus.yml"),
        ("check", "rules", "rules/alerts.yml", "rules/recording.yml"),
        ("test", "rules", "tests/alerts.yml"),
    ],
    ids=" ".join,
)
def test_promtool_finds_nothing_wrong(arguments: tuple[str, ...]) -> None:
    done = subprocess.run(  # noqa: S603
        [str(PROMTOOL), *arguments], cwd=PROMETHEUS, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_reads_every_server_of_compose() -> None:
    document = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    read = {job["job_name"]: job["static_configs"] for job in document["scrape_configs"]}
    apis = [name for name, service in services().items() if service["image"] == "photofeed-api"]
    port = image_variables("api")["PHOTOFEED_PORT"]
    secret = services()["prometheus"]["secrets"]
    (api,) = [job for job in document["scrape_configs"] if job["job_name"] == "photofeed-api"]
    assert [api["authorization"]["credentials_file"]] == [f"/run/secrets/{name}" for name in secret]
    assert read["photofeed-api"] == [{"targets": [f"{name}:{port}" for name in apis]}]
    port = image_variables("worker")["PHOTOFEED_MANAGEMENT_PORT"]
    assert read["photofeed-workers"] == [
        {"targets": [f"{name}:{port}"], "labels": {"worker": name}}
        for name, service in services().items()
        if service["image"] == "photofeed-worker" and service["command"][0] == "work"
    ]


def test_grafana_finds_prometheus_and_the_dashboards() -> None:
    provisioning = DEPLOY / "grafana" / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text())["datasources"]
    assert source["url"] == f"http://prometheus:{services()['prometheus']['expose'][0]}"
    for dashboard in DASHBOARDS:
        assert all(panel["datasource"]["uid"] == source["uid"] for panel in json.loads(dashboard.to_json())["panels"])
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "photofeed.yml").read_text())["providers"]
    assert f"./grafana/dashboards:{provider['options']['path']}:ro" in services()["grafana"]["volumes"]
