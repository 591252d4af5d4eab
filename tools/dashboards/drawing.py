"""Draws a dashboard as Grafana shows it: two graphs in a row, with units and legends."""

import re
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MultipleLocator

from tools.dashboards.panels import Dashboard, Panel
from tools.prometheus import Prometheus, Series

_LABEL = re.compile(r"\{\{(\w+)\}\}")
_PANEL_INCHES = (6.4, 2.9)
_MOST_NAMED = 12
_DAY_SECONDS, _TICK_SECONDS = 86_400, 120
_INK, _FAINT, _RED = "#24292f", "#d8dee4", "#d1242f"
_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def without_data(dashboard: Dashboard, prometheus: Prometheus, start: float, end: float) -> list[str]:
    """The titles of the graphs that showed nothing between two moments."""
    return [panel.title for panel in dashboard.panels if not _lines(panel, prometheus, start, end)]


def _lines(panel: Panel, prometheus: Prometheus, start: float, end: float) -> list[tuple[Series, str]]:
    """The lines of a graph, with their legends."""
    return [
        (series, legend)
        for expression, legend in panel.queries.items()
        for series in prometheus.range(expression, start, end)
        if any(map(isfinite, series.values))
    ]


def draw(dashboard: Dashboard, prometheus: Prometheus, start: float, end: float, file: Path) -> None:
    """Draw what the graphs showed between two moments."""
    rows = -(-len(dashboard.panels) // 2)
    figure = Figure(figsize=(2 * _PANEL_INCHES[0], rows * _PANEL_INCHES[1] + 0.5), layout="constrained")
    figure.suptitle(dashboard.title, fontsize=13, fontweight="bold", color=_INK)
    axes = figure.subplots(rows, 2, squeeze=False).flatten()
    for panel, axis in zip(dashboard.panels, axes, strict=False):
        _draw_panel(axis, panel, _lines(panel, prometheus, start, end))
        axis.set_xlim(_moment(start), _moment(end))
    for axis in axes[len(dashboard.panels) :]:
        axis.set_visible(False)
    figure.savefig(file, dpi=80, metadata={"Software": None})


def _draw_panel(axis: Axes, panel: Panel, lines: list[tuple[Series, str]]) -> None:
    for number, (series, legend) in enumerate(sorted(lines, key=lambda line: _name(*line))):
        name = _name(series, legend) if number < _MOST_NAMED else None
        axis.plot([_moment(one) for one in series.times], series.values, label=name, linewidth=1.4)
    axis.set_title(panel.title, loc="left", fontsize=10, fontweight="bold", color=_INK)
    axis.set_ylim(bottom=0)
    if not any(value for series, _ in lines for value in series.values):
        axis.set_ylim(0, 1)
    top = axis.get_ylim()[1]
    if panel.limit is not None and panel.limit <= top:
        axis.axhline(panel.limit, color=_RED, linewidth=1, linestyle="--")
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: text_of(value, panel.unit)))
    axis.xaxis.set_major_formatter(FuncFormatter(_clock))
    axis.xaxis.set_major_locator(MultipleLocator(_TICK_SECONDS / _DAY_SECONDS))
    axis.grid(visible=True, color=_FAINT, linewidth=0.6)
    axis.tick_params(labelsize=8, colors=_INK, length=0)
    for spine in axis.spines.values():
        spine.set_color(_FAINT)
    if lines:
        axis.legend(fontsize=7, loc="upper left", ncols=2, frameon=True, framealpha=0.75, edgecolor=_FAINT)
    else:
        axis.text(0.5, 0.5, "No data", ha="center", transform=axis.transAxes, fontsize=9)


def _name(series: Series, legend: str) -> str:
    return _LABEL.sub(lambda found: series.labels.get(found[1], ""), legend)


def _clock(days: float, _: int | None) -> str:
    return datetime.fromtimestamp(days * _DAY_SECONDS, tz=UTC).strftime("%H:%M")


def _moment(seconds: float) -> float:
    """A moment as matplotlib counts: days since 1970."""
    return seconds / _DAY_SECONDS


def text_of(value: float, unit: str) -> str:
    """A value in Grafana's way."""
    if unit == "percentunit":
        return f"{value * 100:.3g} %"
    if unit == "s" and 0 < value < 1:
        return f"{value * 1000:.3g} ms"
    for size, prefix in _PREFIXES if unit != "s" else ():
        if value >= size:
            return f"{value / size:.3g} {prefix}"
    return f"{value:.3g}" + {"s": " s", "reqps": " req/s"}.get(unit, "")
