"""The model card: what a version is, what it was made of, how good it is for whom, and what it must not be used for."""

import math
from collections.abc import Iterable, Mapping

from photofeed.features.manifest import FeatureManifest
from photofeed.features.ranking import RANKING_FEATURES
from training.evaluate import EVERYTHING, MODEL, Evaluation
from training.intervals import Interval
from training.labels import ACTION_VALUES
from training.off_policy import PolicyValue
from training.split import Split
from training.train import TrainedRanker

LIMITS = """\
- It orders the posts of one slate; a score means nothing across slates, and is no probability.
- It learned from what the feed showed: of posts that were hardly ever shown it knows little.
- Segments are by activity and kind of post only; nothing is known, and nothing was measured, of who people are.
- Intervals are of the test part's people and days; tastes change, so train again and look at drift.
"""


def model_card(
    ranker: TrainedRanker,
    parts: Split,
    evaluation: Evaluation,
    manifest: FeatureManifest,
    explore: Mapping[str, PolicyValue] | None = None,
) -> str:
    """The card, in Markdown. Bounds in brackets are 95 % intervals over people."""
    window = parts.train.window
    about = (
        f"LightGBM lambdarank of {ranker.iterations} trees; seed {ranker.parameters.seed}, "
        f"sha256 `{ranker.sha256[:16]}`. It orders a person's slate by what they are likely to do with each post."
    )
    overall = [m for m in evaluation.measurements if (m.ranker, m.segment) == (MODEL, EVERYTHING)]
    segments = [m for m in evaluation.measurements if m.ranker == MODEL and m.segment != EVERYTHING]
    ahead = [d for d in evaluation.differences if (d.segment, d.metric) == (EVERYTHING, "ndcg_10")]
    return "\n".join(
        [
            "# Feed ranker",
            about,
            "",
            "## Data",
            f"Slates from {window}, split by time; features of `{manifest.service}` as known when a slate was ranked.",
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
            "## How good it is on the test part",
            *_table(["metric", "value"], ([m.metric, bounds(m.interval)] for m in overall)),
            *_table(["NDCG@10 against", "difference"], ([d.ranker, bounds(d.interval)] for d in ahead)),
            *_explore(explore),
            "## For whom",
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
    """A value and its bounds; the bounds are left out where there are none."""
    sides = "" if math.isnan(interval.low) else f" ({interval.low:.4f} to {interval.high:.4f})"
    return f"{interval.value:.4f}{sides}"


def _directions(ranker: TrainedRanker) -> str:
    if not ranker.parameters.monotone:
        return "No directions were held."
    held = [f"`{f.name}`" for f in RANKING_FEATURES if f.monotone and f.name in ranker.feature_names]
    return f"More of these never ranks lower: {', '.join(held) or 'none'}."


def _explore(values: Mapping[str, PolicyValue] | None) -> list[str]:
    if values is None:
        return ["Explore slots were too few to tell what the model would earn in them.", ""]
    rows = ([name, bounds(value.interval), f"{value.effective_sample_size:.0f}"] for name, value in values.items())
    return _table(["explore slots drawn by", "engaged with per seen post", "effective rows"], rows)


def _table(head: list[str], rows: Iterable[list[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [*("| " + " | ".join(line) + " |" for line in lines), ""]
