"""Compares registered versions with the champion and the baselines on the slates of a window."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from photofeed.arrays import FloatArray
from photofeed.models.registry import CHAMPION, ModelRegistry
from photofeed.settings import Settings
from photofeed.times import MICROSECONDS
from training.data.dataset import Dataset, build_dataset
from training.data.sources import Sources
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
        dataset: the slates of the window.
        scores: ranker -> its scores, one for each impression: MODEL, `champion`, `version N` for the others, and the
            baselines that learn.
        evaluation: the metrics of all of these and of the baselines.
        learned_share: the share of the slates that the version was trained on. Its metrics on those are too good.
        left_out: baseline that learns -> why it was not measured.
    """

    version: str
    dataset: Dataset
    scores: dict[str, FloatArray]
    evaluation: Evaluation
    learned_share: float
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
            "leftOut": self.left_out,
            "slatesWithContrast": self.dataset.contrasts,
            "metrics": self.evaluation.flat(),
            **self.evaluation.to_json(),
        }


def compare_versions(
    settings: Settings, sources: Sources, version: str, window: Window, others: Sequence[str] = ()
) -> Comparison:
    """Evaluate a version (a number or an alias), the versions `others` and the champion on the slates of `window`.

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
        dataset = build_dataset(sources.with_program(compared_program(*programs, COUNTERS)), window)
        model, *rest = bundles
        scores = {MODEL: bundle_scores(model, dataset)}
        if registry.current_version(CHAMPION) != model.version:
            scores |= champion_scores(registry, folder, dataset)
    scores |= {f"version {bundle.version}": bundle_scores(bundle, dataset) for bundle in rest}
    learned_scores, left_out = learned_baselines(sources, model.contract, dataset)
    scores |= learned_scores
    learned_us = unseen_from(model.contract).timestamp() * MICROSECONDS
    trained_us = model.contract.trained_from.timestamp() * MICROSECONDS
    learned = (dataset.slate_start_us >= trained_us) & (dataset.slate_start_us < learned_us)
    return Comparison(model.version, dataset, scores, evaluate(dataset, scores), float(np.mean(learned)), left_out)
