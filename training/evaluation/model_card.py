"""The model card: what a version is, its data, its metrics overall and by segment, and its limits."""

import math
from collections.abc import Iterable, Mapping

from photofeed.features.manifest import FeatureManifest
from photofeed.features.ranking import RANKING_FEATURES
from training.data.labels import ACTION_VALUES
from training.data.split import Split
from training.evaluation.evaluate import MODEL, OVERALL, Evaluation
from training.ranker.train import TrainedRanker
from training.statistics.intervals import Interval
from training.statistics.off_policy import PolicyValue

LIMITS = """\
- It orders the posts of one slate. A score is not a probability, and scores of different slates are not comparable.
- It learned from what the feed showed. It knows little about posts that were rarely shown.
- Segments are by activity and kind of post only. Demographic attributes are not recorded, and were not measured.
- Intervals cover the users and days of the test part. Tastes change: train regularly and check drift.
"""


def model_card(
    ranker: TrainedRanker,
    parts: Split,
    evaluation: Evaluation,
    manifest: FeatureManifest,
    explore: Mapping[str, PolicyValue] | None = None,
) -> str:
    """The card in Markdown. Bounds in brackets are 95 % intervals over users."""
    window = parts.train.window
    about = (
        f"LightGBM lambdarank with {ranker.iterations} trees, seed {ranker.parameters.seed}, "
        f"sha256 `{ranker.sha256[:16]}`. It orders a slate by the viewer's expected engagement with each post."
    )
    overall = [m for m in evaluation.measurements if (m.ranker, m.segment) == (MODEL, OVERALL)]
    segments = [m for m in evaluation.measurements if m.ranker == MODEL and m.segment != OVERALL]
    ahead = [d for d in evaluation.differences if (d.segment, d.metric) == (OVERALL, "ndcg_10")]
    return "\n".join(
        [
            "# Feed ranker",
            about,
            "",
            "## Data",
            f"Slates from {window}, split by time. Features of `{manifest.service}`, as known at the time of ranking.",
            "",
            *_table(
                ["part", "slates", "impressions", "engaged with"],
                (
                    [name, str(part.slates), str(len(part)), f"{(part.labels > 0).mean():.1%}"]
                    for name, part in ((name, getattr(parts, name)) for name in Split.__slots__)
                ),
            ),
            "Labels: " + ", ".join(f"{action} {value.grade}" for action, value in ACTION_VALUES.items()) + ".",
            "",
            "## Metrics on the test part",
            *_table(["metric", "value"], ([m.metric, bounds(m.interval)] for m in overall)),
            *_table(["NDCG@10 against", "difference"], ([d.ranker, bounds(d.interval)] for d in ahead)),
            *_explore(explore),
            "## Metrics by segment",
            *_table(["segment", "metric", "value"], ([m.segment, m.metric, bounds(m.interval)] for m in segments)),
            "## Limits",
            LIMITS,
            "## Features, in the order of the model's input",
            ", ".join(f"`{name}`" for name in ranker.feature_names),
            "",
            _directions(ranker),
            "",
        ]
    )


def bounds(interval: Interval) -> str:
    """A value with its bounds in brackets, if it has bounds."""
    sides = "" if math.isnan(interval.low) else f" ({interval.low:.4f} to {interval.high:.4f})"
    return f"{interval.value:.4f}{sides}"


def _directions(ranker: TrainedRanker) -> str:
    parameters = ranker.parameters
    known = [f for f in RANKING_FEATURES if f.name in ranker.feature_names]
    directed = [f"`{f.name}` ({'more' if f.monotone > 0 else 'less'})" for f in known if f.monotone]
    told = [f"The model uses no other features than {', '.join(directed)}."] if parameters.directed_only else []
    if parameters.monotone:
        told += [f"Better values of these features never lower the score: {', '.join(directed) or 'none'}."]
    else:
        told += ["No feature directions were enforced."]
    return " ".join(told)


def _explore(values: Mapping[str, PolicyValue] | None) -> list[str]:
    if values is None:
        return ["There were too few explore slots to estimate the engagement of the model in them.", ""]
    rows = ([name, bounds(value.interval), f"{value.effective_sample_size:.0f}"] for name, value in values.items())
    return _table(["explore slots drawn by", "share of seen posts engaged with", "effective rows"], rows)


def _table(head: list[str], rows: Iterable[list[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [*("| " + " | ".join(line) + " |" for line in lines), ""]
