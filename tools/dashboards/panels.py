"""A panel, a dashboard, and their JSON as Grafana reads it."""

import json
from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT = 12, 8  # of a panel, in Grafana's units: a row has 24
_SOURCE = {"type": "prometheus", "uid": "prometheus"}


@dataclass(frozen=True, slots=True)
class Panel:
    """A graph.

    Attributes:
        unit: Grafana's name of the unit: s, percentunit, reqps, short.
        queries: expression -> legend, in which `{{label}}` is the value of a label.
        about: what a reader has to know to judge the graph.
        limit: a value from which on the graph is red; None for no limit.
    """

    title: str
    unit: str
    queries: dict[str, str]
    about: str
    limit: float | None = None


@dataclass(frozen=True, slots=True)
class Dashboard:
    """Graphs, two in a row; `name` is the file's name and the dashboard's address."""

    name: str
    title: str
    panels: tuple[Panel, ...]

    def to_json(self) -> str:
        """The file that Grafana provisions."""
        document = {
            "uid": f"photofeed-{self.name}",
            "title": self.title,
            "tags": ["photofeed"],
            "schemaVersion": 39,
            "editable": False,
            "refresh": "30s",
            "time": {"from": "now-3h", "to": "now"},
            "panels": [_panel(number, panel) for number, panel in enumerate(self.panels)],
        }
        return json.dumps(document, indent=2) + "\n"


def _panel(number: int, panel: Panel) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if panel.limit is not None:
        steps.append({"color": "red", "value": panel.limit})
    style = {"mode": "line" if panel.limit is not None else "off"}
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.about,
        "datasource": _SOURCE,
        "gridPos": {"x": number % 2 * WIDTH, "y": number // 2 * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {
            "defaults": {
                "unit": panel.unit,
                "min": 0,
                "thresholds": {"mode": "absolute", "steps": steps},
                "custom": {"thresholdsStyle": style},
            },
            "overrides": [],
        },
        "targets": [
            {"refId": chr(ord("A") + index), "datasource": _SOURCE, "expr": expression, "legendFormat": legend}
            for index, (expression, legend) in enumerate(panel.queries.items())
        ],
    }
