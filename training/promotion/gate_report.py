"""The report of the gates, in Markdown for people and in JSON for programs."""

from typing import Any

from photofeed.models.registry import CHAMPION
from training.evaluation.evaluate import OVERALL, Evaluation
from training.promotion.result import Promotion

METRICS = ("ndcg_5", "ndcg_10", "ndcg_30", "map", "auc", "ece")


def as_json(promotion: Promotion) -> dict[str, Any]:
    """The findings and the metrics behind them."""
    evaluation = promotion.evidence.evaluation
    return {
        "model": promotion.evidence.bundle.contract.model_name,
        "version": promotion.version,
        "champion": promotion.former,
        "at": promotion.evidence.now.isoformat(timespec="seconds"),
        "passed": promotion.passed,
        "forced": promotion.forced,
        "actor": promotion.actor,
        "findings": [
            {"gate": finding.gate, "passed": finding.passed, "detail": finding.detail} for finding in promotion.findings
        ],
        "metrics": evaluation.rankers if evaluation else {},
        "againstChampion": _differences(evaluation) if evaluation else {},
    }


def as_markdown(promotion: Promotion) -> str:
    """A page that states whether the version may become champion, and why."""
    outcome = "passed its gates" if promotion.passed else "failed its gates"
    forced = f" The promotion was forced: {promotion.forced}." if promotion.forced and not promotion.passed else ""
    rival = f"Compared with version {promotion.former}, the champion" if promotion.former else "There is no champion"
    lines = [
        f"# Version {promotion.version} {outcome}",
        "",
        f"Checked {promotion.evidence.now:%Y-%m-%d %H:%M} UTC by {promotion.actor}. {rival}.{forced}",
        "",
        "| gate | | finding |",
        "| --- | --- | --- |",
        *(f"| {f.gate} | {'passed' if f.passed else '**failed**'} | {_cell(f.detail)} |" for f in promotion.findings),
    ]
    if evaluation := promotion.evidence.evaluation:
        lines += ["", "## Metrics on slates that neither version was trained on", "", *_metrics_table(evaluation)]
        if differences := _differences(evaluation):
            lines += [
                "",
                "## Differences from the champion, with 95 % intervals",
                "",
                "| segment | metric | difference |",
            ]
            lines += ["| --- | --- | --- |"]
            lines += [
                f"| {segment} | {metric} | {value:+.4f} [{low:+.4f}, {high:+.4f}] |"
                for segment, metrics in differences.items()
                for metric, (value, low, high) in metrics.items()
            ]
    return "\n".join(lines) + "\n"


def _metrics_table(evaluation: Evaluation) -> list[str]:
    return [
        f"| ranker | {' | '.join(METRICS)} |",
        f"| --- |{' --- |' * len(METRICS)}",
        *(
            f"| {ranker} | {' | '.join(f'{values[metric]:.4f}' for metric in METRICS)} |"
            for ranker, values in evaluation.rankers.items()
        ),
    ]


def _differences(evaluation: Evaluation) -> dict[str, dict[str, tuple[float, float, float]]]:
    """Segment -> metric -> (value, low, high)."""
    found: dict[str, dict[str, tuple[float, float, float]]] = {}
    for one in evaluation.differences:
        if one.ranker == CHAMPION and (one.segment != OVERALL or one.metric in METRICS):
            found.setdefault(one.segment, {})[one.metric] = (one.interval.value, one.interval.low, one.interval.high)
    return found


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
