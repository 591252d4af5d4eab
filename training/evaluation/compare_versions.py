"""Compares registered versions with the champion and the baselines on the slates of a window."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from photofeed.arrays import FloatArray
from photofeed.models.contract import ModelContract
from photofeed.models.registry import CHAMPION, ModelRegistry
from photofeed.settings import Settings
from photofeed.times import MICROSECONDS
from training.data.dataset import Dataset, build_dataset
from training.data.sources import Sources
from training.data.split import MIN_CONTRASTS
from training.data.unseen import unseen_from
from training.data.window import Window
from training.evaluation.champion import bundle_scores, champion_program, champion_scores
from training.evaluation.compared import compared_program
from training.evaluation.evaluate import MODEL, Evaluation, evaluate
from training.evaluation.learned_baselines import COUNTERS, learned_baselines


@dataclass(frozen=True, slots=True)
class Comparison:
    """The evaluation of a version on a window.

    Attributes:
        version: the number of the version; it is the ranker MODEL of the evaluation.
        dataset: the slates of the window that the version was not trained on; all of them if too few of these tell
            anything (MIN_CONTRASTS).
        scores: ranker -> its scores, one for each impression: MODEL, `champion`, `version N` for the others, and the
            baselines that learn.
        evaluation: the metrics of all of these and of the baselines.
        learned_share: the share of these slates that the version was trained on: 0, or what makes its metrics, and
            those of the baselines that learn, too good.
        learned_slates: the number of slates of the window that were left out: the version was trained on them, or they
            are older.
        left_out: baseline that learns -> why it was not measured.
    """

    version: str
    dataset: Dataset
    scores: dict[str, FloatArray]
    evaluation: Evaluation
    learned_share: float
    learned_slates: int = 0
    left_out: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """The comparison as JSON for scripts."""
        return {
            "version": self.version,
            "from": self.dataset.window.start,
            "until": self.dataset.window.end,
            "slates": self.dataset.slates,
            "impressions": len(self.dataset),
            "learnedShare": self.learned_share,
            "learnedSlates": self.learned_slates,
            "leftOut": self.left_out,
            "slatesWithContrast": self.dataset.contrasts,
            "metrics": self.evaluation.flat(),
            **self.evaluation.to_json(),
        }


def compare_versions(
    settings: Settings, sources: Sources, version: str, window: Window, others: Sequence[str] = ()
) -> Comparison:
    """Evaluate a version (a number or an alias), the versions `others` and the champion on the slates of `window`.

    Slates that the version was trained on are left out if enough others are left: the baselines that learn know them
    by heart.

    Raises:
        NotFoundError: no such version.
        InvalidError: a version needs features that this release lacks, or the window has no slates or only one label.
        RetryableError: MLflow or object storage does not answer.
    """
    folder = settings.state_dir / "models"
    with ModelRegistry.connect(settings) as registry:
        bundles = [registry.fetch(each, folder) for each in (version, *others)]
        champion = champion_program(registry, folder, sources.manifest)
        programs = [bundle.contract.program for bundle in bundles] + ([champion] if champion else [])
        whole = build_dataset(sources.with_program(compared_program(*programs, COUNTERS)), window)
        model, *rest = bundles
        dataset = _unseen_slates(model.contract, whole)
        scores = {MODEL: bundle_scores(model, dataset)}
        if registry.current_version(CHAMPION) != model.version:
            scores |= champion_scores(registry, folder, dataset)
    scores |= {f"version {bundle.version}": bundle_scores(bundle, dataset) for bundle in rest}
    learned_scores, left_out = learned_baselines(sources, model.contract, dataset)
    scores |= learned_scores
    learned = float(_learned(model.contract, dataset).mean())
    left_slates = whole.slates - dataset.slates
    return Comparison(model.version, dataset, scores, evaluate(dataset, scores), learned, left_slates, left_out)


def _learned(contract: ModelContract, dataset: Dataset) -> NDArray[np.bool_]:
    """Whether a version was trained on a slate, (slates,)."""
    trained_us = contract.trained_from.timestamp() * MICROSECONDS
    learned_us = unseen_from(contract).timestamp() * MICROSECONDS
    learned: NDArray[np.bool_] = (dataset.slate_start_us >= trained_us) & (dataset.slate_start_us < learned_us)
    return learned


def _unseen_slates(contract: ModelContract, dataset: Dataset) -> Dataset:
    """The slates after those that a version was trained on; the whole dataset if it has none of those, or too few."""
    learned = np.flatnonzero(_learned(contract, dataset))
    if not len(learned) or learned[-1] + 1 == dataset.slates:
        return dataset
    later = dataset.between(int(learned[-1]) + 1, dataset.slates)
    if later.contrasts < MIN_CONTRASTS["test"]:
        return dataset
    return replace(later, window=Window(unseen_from(contract), dataset.window.end))
