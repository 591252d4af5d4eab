"""The metrics that the code declares, and the series and labels that expressions read."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import promql_parser
import yaml

from tests.deploy.deployment import DEPLOY, ROOT
from tools.dashboards.feed import FEED
from tools.dashboards.models import MODELS
from tools.dashboards.workers import WORKERS

DASHBOARDS = (FEED, WORKERS, MODELS)

_PACKAGES = ("photofeed", "serving", "ingestion", "training")
SERIES = {
    "Counter": ("_total",),
    "Gauge": ("",),
    "Histogram": ("_bucket", "_sum", "_count"),
    "Summary": ("_sum", "_count"),
}
_OF_EVERY_TARGET = frozenset({"job", "instance", "worker"})


@dataclass(frozen=True)
class Selector:
    """A series that an expression reads, and the labels by which it chooses."""

    name: str
    labels: frozenset[str]
    equal: tuple[tuple[str, str], ...] = ()


@cache
def declared() -> dict[str, frozenset[str]]:
    """Series -> its labels, from every Counter, Gauge, Histogram and Summary of the code that has a name of ours."""
    found = {"up": _OF_EVERY_TARGET}
    for package in _PACKAGES:
        for file in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Call) and (kind := _kind(node.func)) in SERIES and _is_ours(node):
                    name, labels = ast.literal_eval(node.args[0]), _labels(node)
                    for ending in SERIES[kind]:
                        bucket = {"le"} if ending == "_bucket" else set()
                        found[name + ending] = frozenset(labels) | bucket | _OF_EVERY_TARGET
    return found


def _kind(function: ast.expr) -> str:
    match function:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def _is_ours(call: ast.Call) -> bool:
    match call.args:
        case [ast.Constant(value=str(name)), *_]:
            return name.startswith("photofeed_")
    return False


def _labels(call: ast.Call) -> list[str]:
    given = [*call.args[2:3], *(word.value for word in call.keywords if word.arg == "labelnames")]
    return [label for one in given for label in ast.literal_eval(one)]


def rules(name: str) -> list[dict[str, Any]]:
    """The rules of a file in deploy/prometheus/rules."""
    document = yaml.safe_load((DEPLOY / "prometheus" / "rules" / f"{name}.yml").read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


def expressions() -> dict[str, str]:
    """Where it is -> every expression of dashboards, alerts and recording rules."""
    shown = {
        f"{dashboard.name}: {panel.title}: {expression}": expression
        for dashboard in DASHBOARDS
        for panel in dashboard.panels
        for expression in panel.queries
    }
    written = {rule.get("alert") or rule["record"]: rule["expr"] for rule in rules("alerts") + rules("recording")}
    return shown | written


def selectors(expression: str) -> Iterator[Selector]:
    """The series that an expression reads.

    Raises:
        ValueError: it is not PromQL.
    """
    yield from _below(promql_parser.parse(expression))


def _below(node: Any) -> Iterator[Selector]:
    if isinstance(node, promql_parser.VectorSelector):
        matchers = node.matchers.matchers
        equal = tuple((one.name, one.value) for one in matchers if one.op == promql_parser.MatchOp.Equal)
        yield Selector(str(node.name), frozenset(matcher.name for matcher in matchers), equal)
    for part in ("lhs", "rhs", "expr", "vector_selector", "args", "param"):
        below = getattr(node, part, None)
        for one in below if isinstance(below, list) else [below] if below is not None else []:
            yield from _below(one)


def grouped_by(expression: str) -> set[str]:
    """The labels that the aggregations of an expression keep."""
    found: set[str] = set()

    def visit(node: Any) -> None:
        modifier = getattr(node, "modifier", None)
        if isinstance(node, promql_parser.AggregateExpr) and modifier is not None:
            found.update(modifier.labels)
        for part in ("lhs", "rhs", "expr", "args", "param"):
            below = getattr(node, part, None)
            for one in below if isinstance(below, list) else [below] if below is not None else []:
                visit(one)

    visit(promql_parser.parse(expression))
    return found
