"""Pictures of a training that people look at in MLflow and in notebooks."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from photofeed.features.ranking import RANKING_FEATURES
from training.dataset import Dataset
from training.intervals import FloatArray
from training.metrics import ndcg, rank_slates
from training.train import TrainedRanker

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DEEPEST = 30
MOST_FEATURES = 25


def learning_curve(ranker: TrainedRanker) -> "Figure":
    """Validation metrics by iteration, and the iteration that was kept."""
    axes = _axes("What the validation part said", "iteration", "")
    for name, values in ranker.history.items():
        axes.plot(np.arange(1, len(values) + 1), values, label=name)
    axes.axvline(ranker.iterations, color="grey", linestyle=":", label=f"kept: {ranker.iterations}")
    return _finished(axes)


def ndcg_by_depth(dataset: Dataset, rankers: Mapping[str, FloatArray]) -> "Figure":
    """NDCG@k of several rankers (name -> scores) for k from 1 to DEEPEST."""
    axes = _axes("How good the top of a slate is", "k", "NDCG@k")
    depths = np.arange(1, DEEPEST + 1)
    for name, scores in rankers.items():
        ranked = rank_slates(dataset.labels, scores, dataset.group_sizes)
        axes.plot(depths, [np.nanmean(ndcg(ranked, int(k))) for k in depths], label=name)
    return _finished(axes)


def importance(ranker: TrainedRanker) -> "Figure":
    """The features that earned most of the training gain, coloured by family."""
    gains = ranker.booster().feature_importance("gain")
    shares = gains / max(gains.sum(), 1e-12)
    most = [i for i in np.argsort(shares)[-MOST_FEATURES:] if shares[i] > 0]
    family_of = {feature.name: feature.family for feature in RANKING_FEATURES}
    families = [family_of.get(ranker.feature_names[i], "other") for i in most]
    colours = {family: f"C{number}" for number, family in enumerate(dict.fromkeys(family_of.values()))}
    axes = _axes("What the model decides by", "share of the training gain", "", height=7)
    for family in dict.fromkeys(reversed(families)):
        rows = [row for row, its in enumerate(families) if its == family]
        axes.barh(rows, shares[[most[row] for row in rows]], color=colours.get(family, "grey"), label=family)
    axes.set_yticks(range(len(most)), [ranker.feature_names[i] for i in most])
    return _finished(axes)


def _axes(title: str, across: str, up: str, *, height: float = 4.5) -> "Axes":
    # Figure rather than pyplot, which keeps every figure alive and chooses a window system
    from matplotlib.figure import Figure  # noqa: PLC0415

    axes = Figure(figsize=(8, height), layout="constrained").add_subplot()
    axes.set(title=title, xlabel=across, ylabel=up)
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def _finished(axes: "Axes") -> "Figure":
    from matplotlib.figure import Figure  # noqa: PLC0415

    axes.legend(frameon=False)
    figure = axes.figure
    if not isinstance(figure, Figure):
        raise TypeError("axes of a sub-figure")
    return figure
