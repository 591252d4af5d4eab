"""Figures of a training, for MLflow and notebooks."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from photofeed.arrays import FloatArray
from photofeed.features.ranking import RANKING_FEATURES
from training.data.dataset import Dataset
from training.evaluation.evaluate import Evaluation
from training.ranker.train import TrainedRanker
from training.statistics.calibration import calibration_bins, engagement_chance
from training.statistics.metrics import ndcg, rank_slates

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DEEPEST = 30
MAX_FEATURES = 25
MAX_SHAP_FEATURES, SHAP_ROWS = 20, 1000


def learning_curve(ranker: TrainedRanker) -> "Figure":
    """Validation metrics by iteration, and the number of iterations that was chosen."""
    axes = _axes("Validation metrics", "iteration", "")
    for name, values in ranker.history.items():
        axes.plot(np.arange(1, len(values) + 1), values, label=name)
    axes.axvline(ranker.iterations, color="grey", linestyle=":", label=f"chosen: {ranker.iterations}")
    return _finished(axes)


def ndcg_by_depth(dataset: Dataset, rankers: Mapping[str, FloatArray]) -> "Figure":
    """NDCG@k of several rankers (name -> scores) for k from 1 to DEEPEST."""
    axes = _axes("NDCG by depth", "k", "NDCG@k")
    depths = np.arange(1, DEEPEST + 1)
    for name, scores in rankers.items():
        ranked = rank_slates(dataset.labels, scores, dataset.group_sizes)
        axes.plot(depths, [np.nanmean(ndcg(ranked, int(k))) for k in depths], label=name)
    return _finished(axes)


def importance(ranker: TrainedRanker) -> "Figure":
    """The features with the largest share of the training gain, coloured by family."""
    gains = ranker.booster().feature_importance("gain")
    shares = gains / max(gains.sum(), 1e-12)
    most = [i for i in np.argsort(shares)[-MAX_FEATURES:] if shares[i] > 0]
    family_of = {feature.name: feature.family for feature in RANKING_FEATURES}
    families = [family_of.get(ranker.feature_names[i], "other") for i in most]
    colours = {family: f"C{number}" for number, family in enumerate(dict.fromkeys(family_of.values()))}
    axes = _axes("Feature importance", "share of the training gain", "", height=7)
    for family in dict.fromkeys(reversed(families)):
        rows = [row for row, its in enumerate(families) if its == family]
        axes.barh(rows, shares[[most[row] for row in rows]], color=colours.get(family, "grey"), label=family)
    axes.set_yticks(range(len(most)), [ranker.feature_names[i] for i in most])
    return _finished(axes)


def shap_summary(ranker: TrainedRanker, dataset: Dataset) -> "Figure":
    """SHAP values of the most important features, from LightGBM's pred_contrib.

    A dot is an impression. Its colour is the rank of the feature's value among the impressions.
    Source: Lundberg et al., Nature MI 2020.
    """
    rows = np.linspace(0, len(dataset) - 1, min(SHAP_ROWS, len(dataset))).astype(int)
    matrix = dataset.matrix[rows]
    moved = ranker.booster().predict(matrix, pred_contrib=True)[:, :-1]
    most = np.argsort(np.abs(moved).mean(axis=0))[-MAX_SHAP_FEATURES:]
    axes = _axes("SHAP values", "effect on the score", "", height=7)
    spread = np.random.default_rng(0).uniform(-0.3, 0.3, len(rows))
    for row, column in enumerate(most):
        ranks = np.argsort(np.argsort(matrix[:, column]))
        dots = axes.scatter(moved[:, column], row + spread, c=ranks, cmap="viridis", s=4, linewidths=0)
    axes.axvline(0, color="grey", linewidth=0.8)
    axes.set_yticks(range(len(most)), [ranker.feature_names[i] for i in most])
    figure = _figure_of(axes)
    key = figure.colorbar(dots, ax=axes, ticks=[0, len(rows) - 1], label="value of the feature", aspect=40)
    key.ax.set_yticklabels(["lowest", "highest"])
    return figure


def calibration(dataset: Dataset, rankers: Mapping[str, FloatArray]) -> "Figure":
    """The observed share of engagement by the predicted chance (see calibration)."""
    axes = _axes("Calibration", "predicted chance of engagement", "observed share")
    slates, engaged = np.repeat(np.arange(dataset.slates), dataset.group_sizes), dataset.labels > 0
    for name, scores in rankers.items():
        chance = engagement_chance(engaged, scores, slates)
        bins = calibration_bins(chance)
        rows = np.maximum(np.bincount(bins), 1)
        axes.plot(np.bincount(bins, weights=chance) / rows, np.bincount(bins, weights=engaged) / rows, "o-", label=name)
    axes.axline((0, 0), slope=1, color="grey", linestyle=":")
    return _finished(axes)


def by_segment(evaluation: Evaluation, metric: str = "ndcg_10") -> "Figure":
    """A metric of every ranker in every segment, with intervals, and the number of slates that tell an order."""
    chosen = [m for m in evaluation.measurements if m.metric == metric]
    segments, rankers = (list(dict.fromkeys(getattr(m, name) for m in chosen)) for name in ("segment", "ranker"))
    axes = _axes(f"{metric} by segment", "", metric, width=11)
    for number, ranker in enumerate(rankers):
        its = [m for m in chosen if m.ranker == ranker]
        values = np.array([m.interval.value for m in its])
        bounds = np.array([(m.interval.value - m.interval.low, m.interval.high - m.interval.value) for m in its]).T
        offsets = np.array([segments.index(m.segment) for m in its]) + (number - len(rankers) / 2) * 0.8 / len(rankers)
        axes.bar(offsets, values, 0.8 / len(rankers), yerr=np.maximum(bounds, 0), label=ranker, error_kw={"lw": 0.8})
    axes.set_xticks(range(len(segments)), [f"{name}\n{evaluation.slates.get(name, 0)} slates" for name in segments])
    return _finished(axes)


def score_distributions(dataset: Dataset, scores: FloatArray) -> "Figure":
    """The distribution of scores of impressions that were engaged with, and of the others."""
    axes = _axes("Score distributions", "score", "density")
    edges = np.histogram_bin_edges(scores[np.isfinite(scores)], bins=50)
    for name, rows in (("engaged with", dataset.labels > 0), ("not engaged with", dataset.labels <= 0)):
        axes.hist(scores[rows], bins=edges.tolist(), density=True, alpha=0.6, label=name)
    return _finished(axes)


def _axes(title: str, across: str, up: str, *, width: float = 8, height: float = 4.5) -> "Axes":
    # not pyplot, which keeps a reference to every figure and chooses a GUI backend
    from matplotlib.figure import Figure  # noqa: PLC0415

    axes = Figure(figsize=(width, height), layout="constrained").add_subplot()
    axes.set(title=title, xlabel=across, ylabel=up)
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def _finished(axes: "Axes") -> "Figure":
    # outside the axes: Matplotlib's search for a free location takes seconds with many points
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return _figure_of(axes)


def _figure_of(axes: "Axes") -> "Figure":
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = axes.figure
    if not isinstance(figure, Figure):
        raise TypeError("axes of a sub-figure")
    return figure
