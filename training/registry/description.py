"""What MLflow's pages say of a registered model and of its versions."""

import math

from training.evaluation.evaluate import MODEL, OVERALL, Evaluation
from training.evaluation.model_card import bounds

OF_MODEL = """\
Ranks the posts of each feed. API servers read the aliases every few seconds: `champion` ranks, `previous` ranks if the
champion fails, `challenger` ranks in experiments or scores in the shadow. Move them with `photofeed promote` and
`photofeed rollback`, which check and record every move."""
VERDICT = "Gates: "
UNCHECKED = f"{VERDICT}not checked yet; `photofeed promote` does so."
_SHOWN = {"ndcg_10": "NDCG@10", "map": "MAP", "auc": "AUC", "ece": "calibration error"}


def describe_version(experiment: str, run_id: str, evaluation: Evaluation | None) -> str:
    """The description of a new version, in Markdown: headline metrics, its verdict, and links to card and tables."""
    artifacts = f"#/experiments/{experiment}/runs/{run_id}/artifacts"
    tables = "" if evaluation is None else f" · [all metrics]({artifacts}/evaluation.json)"
    lines = [_metrics(evaluation), UNCHECKED, f"[Model card]({artifacts}/model_card.md){tables}"]
    return "\n\n".join(lines)


def with_verdict(description: str, verdict: str) -> str:
    """The description with another verdict; all else, such as a sentence that somebody added, stays."""
    kept = [part for part in description.split("\n\n") if part and not part.startswith(VERDICT)]
    return "\n\n".join([*kept[:1], f"{VERDICT}{verdict}", *kept[1:]])


def _metrics(evaluation: Evaluation | None) -> str:
    if evaluation is None:
        return "Not evaluated at its registration."
    own = {one.metric: one.interval for one in evaluation.measurements if (one.ranker, one.segment) == (MODEL, OVERALL)}
    found = [f"{name} {bounds(own[metric])}" for metric, name in _SHOWN.items() if not math.isnan(own[metric].value)]
    ahead = [
        f"{one.ranker} {one.interval.value:+.4f} ({one.interval.low:+.4f} to {one.interval.high:+.4f})"
        for one in evaluation.differences
        if (one.segment, one.metric) == (OVERALL, "ndcg_10")
    ]
    return f"{', '.join(found)}. NDCG@10 over {', '.join(ahead)}. In brackets: 95 % intervals."
