"""Registered versions on the slates of any window, beside the champion and the baselines."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from photofeed.features.ratios import MICROSECONDS
from photofeed.model_contract import CHAMPION, ModelRegistry
from photofeed.settings import Settings
from training.champion import bundle_scores, champion_scores
from training.dataset import Dataset, build
from training.evaluate import MODEL, Evaluation, evaluate
from training.evidence import unseen_from
from training.intervals import FloatArray
from training.sources import Sources
from training.window import Window


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a version did on a window.

    Attributes:
        version: its number; the ranker MODEL of the evaluation.
        dataset: the slates; their impressions.
        scores: ranker -> its scores, one for each impression: MODEL, `champion` and `version N` of the others.
        evaluation: all of them, and the baselines.
        learned_share: the share of the slates that the version has learned from, on which it looks better than it is.
    """

    version: str
    dataset: Dataset
    scores: dict[str, FloatArray]
    evaluation: Evaluation
    learned_share: float

    def to_json(self) -> dict[str, object]:
        """One line that a script can read."""
        return {
            "version": self.version,
            "from": self.dataset.window.start,
            "until": self.dataset.window.end,
            "slates": self.dataset.slates,
            "impressions": len(self.dataset),
            "learnedShare": self.learned_share,
            "metrics": self.evaluation.flat(),
        }


def compare_versions(
    settings: Settings, sources: Sources, version: str, window: Window, others: Sequence[str] = ()
) -> Comparison:
    """Measure a version (a number or an alias), those of `others` and the champion on the slates of `window`.

    Raises:
        NotFoundError: no such version.
        InvalidError: a version reads features that this release has not, or the window has nothing to judge by.
        RetryableError: MLflow or object storage does not answer.
    """
    folder = settings.state_dir / "models"
    with ModelRegistry.connect(settings) as registry:
        bundles = [registry.fetch(each, folder) for each in (version, *others)]
        dataset = build(sources, window)
        judged, *rest = bundles
        scores = {MODEL: bundle_scores(judged, dataset)}
        if registry.current_version(CHAMPION) != judged.version:
            scores |= champion_scores(registry, folder, dataset)
    scores |= {f"version {bundle.version}": bundle_scores(bundle, dataset) for bundle in rest}
    learned_us = unseen_from(judged.contract).timestamp() * MICROSECONDS
    trained_us = judged.contract.trained_from.timestamp() * MICROSECONDS
    learned = (dataset.slate_start_us >= trained_us) & (dataset.slate_start_us < learned_us)
    return Comparison(judged.version, dataset, scores, evaluate(dataset, scores), float(np.mean(learned)))
