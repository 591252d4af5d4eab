"""The page of `make load`: what was sent, what held, and what kept the stack from doing more."""

import io
from collections.abc import Sequence
from html import escape
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tools.load.objectives import EVENTS_P99, FEED_P99, OBJECTIVES
from tools.load.steps import Overload, Step

_MOST_NAMED = 6
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #24292f; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums }
th, td { padding: .3rem .7rem; text-align: right; border-bottom: 1px solid #d8dee4 }
th:first-child, td:first-child { text-align: left }
.broken { color: #d1242f; font-weight: 600 }
svg { max-width: 100%; height: auto }
"""


def write_report(file: Path, steps: Sequence[Step], over: Overload) -> None:
    """Write the page; its folder is made."""
    file.parent.mkdir(parents=True, exist_ok=True)
    last, good = steps[-1], steps[:-1]
    missed = ", ".join(one.name for one in last.broken)
    rate = f"{good[-1].rate:.0f} requests per second" if good else "no rate that was tried"
    recovered = "not" if over.recovery_seconds is None else f"after {over.recovery_seconds:.1f} s"
    file.write_text(
        f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>photofeed under load</title><style>{_STYLE}</style>
<h1>photofeed under load</h1>
<p>All objectives hold with <strong>{rate}</strong>. With {last.rate:.0f} these break: {escape(missed)}.</p>
<p>Bottleneck: <strong>{escape(last.bottleneck)}</strong>.</p>
{_table(steps)}
{_drawing(steps)}
<h2>Too much traffic</h2>
<p>With {over.rate:.0f} requests per second {over.served:.0%} are served, {over.refused:.0%} are refused with 503, and
{over.lost:.1%} are lost. The p99 of served feeds is {over.feed_p99_seconds:.2f} s. With half of the good rate the
objectives hold again {recovered}.</p>
<h2>Objectives</h2>
<ul>{"".join(f"<li>{one.name} at most {one.limit:g}: {escape(one.text)}</li>" for one in OBJECTIVES)}</ul>
</html>
"""
    )


def _table(steps: Sequence[Step]) -> str:
    heads = "".join(f"<th>{one.name}</th>" for one in OBJECTIVES)
    rows = "".join(
        f"<tr><td>{step.rate:.0f}</td>{''.join(_cells(step))}<td>{sum(step.used.values()):.2f}</td>"
        f"<td>{step.late_seconds:.3f}</td></tr>"
        for step in steps
    )
    return f"<table><tr><th>requests per second</th>{heads}<th>cores</th><th>client late (p99)</th></tr>{rows}</table>"


def _cells(step: Step) -> list[str]:
    missed = {one.name for one in step.broken}
    return [
        f"<td{' class=broken' if one.name in missed else ''}>{step.figures.get(one.name, 0.0):.3f}</td>"
        for one in OBJECTIVES
    ]


def _drawing(steps: Sequence[Step]) -> str:
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    latency, processor = figure.subplots(1, 2)
    rates = [step.rate for step in steps]
    for objective in (FEED_P99, EVENTS_P99):
        latency.plot(rates, [step.figures[objective.name] for step in steps], marker="o", label=objective.name)
    latency.axhline(FEED_P99.limit, linestyle="--", color="#d1242f", linewidth=1)
    latency.set_yscale("log")
    _finish(latency, "Latency, p99 in seconds")
    names = list(steps[-1].used)[:_MOST_NAMED]
    processor.stackplot(rates, [[step.used.get(name, 0.0) for step in steps] for name in names], labels=names)
    _finish(processor, "Cores by process")
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    return "<svg" + file.getvalue().partition("<svg")[2]


def _finish(axes: Axes, title: str) -> None:
    axes.set_title(title, loc="left", fontsize=10)
    axes.set_xlabel("requests per second", fontsize=9)
    axes.grid(visible=True, linewidth=0.5, alpha=0.5)
    axes.legend(fontsize=7, loc="upper left")
