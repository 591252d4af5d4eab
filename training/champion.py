"""The champion as one more ranker of a dataset, to compare a new model with."""

from pathlib import Path

import numpy as np
import structlog

from photofeed.errors import InvalidError, PermanentError
from photofeed.model_contract import CHAMPION, ModelBundle, ModelRegistry
from training.dataset import Dataset
from training.intervals import FloatArray

log = structlog.get_logger(__name__)


def champion_scores(registry: ModelRegistry, folder: Path, dataset: Dataset) -> dict[str, FloatArray]:
    """`champion` -> its raw scores of the dataset's rows; nothing where there is no champion that can score them.

    Models are kept in `folder`.

    Raises:
        RetryableError: MLflow does not answer.
    """
    if registry.current_version(CHAMPION) is None:
        return {}
    try:
        return {CHAMPION: bundle_scores(registry.fetch(CHAMPION, folder), dataset)}
    except PermanentError as error:
        # a champion that cannot be read or reads other features must not keep a better one from being trained
        log.warning("not compared with the champion", reason=str(error))
        return {}


def bundle_scores(bundle: ModelBundle, dataset: Dataset) -> FloatArray:
    """The raw scores, (rows,), that a registered version gives to a dataset's rows.

    Raises:
        InvalidError: it reads features that the dataset does not have, or its file is no model.
    """
    import lightgbm  # noqa: PLC0415

    unknown = [name for name in bundle.contract.feature_names if name not in dataset.feature_names]
    if unknown:
        raise InvalidError(f"version {bundle.version} reads features that this release has not: {', '.join(unknown)}")
    columns = [dataset.feature_names.index(name) for name in bundle.contract.feature_names]
    try:
        booster = lightgbm.Booster(model_file=bundle.model_path)
    except lightgbm.basic.LightGBMError as error:
        raise InvalidError(f"version {bundle.version} is no model that LightGBM reads: {error}") from error
    scores: FloatArray = booster.predict(np.ascontiguousarray(dataset.matrix[:, columns]), raw_score=True)
    return scores
