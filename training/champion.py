"""The champion as one more ranker of a dataset, to compare a new model with."""

from pathlib import Path

import numpy as np
import structlog

from photofeed.errors import PermanentError
from photofeed.model_contract import CHAMPION, ModelRegistry
from training.dataset import Dataset
from training.intervals import FloatArray

log = structlog.get_logger(__name__)


def champion_scores(registry: ModelRegistry, folder: Path, dataset: Dataset) -> dict[str, FloatArray]:
    """`champion` -> its raw scores of the dataset's rows; nothing where there is no champion that can score them.

    Models are kept in `folder`.

    Raises:
        RetryableError: MLflow does not answer.
    """
    import lightgbm  # noqa: PLC0415

    if registry.current_version(CHAMPION) is None:
        return {}
    try:
        bundle = registry.fetch(CHAMPION, folder)
        columns = [dataset.feature_names.index(name) for name in bundle.contract.feature_names]
    except (PermanentError, ValueError) as error:
        # a champion that cannot be read or reads other features must not keep a better one from being trained
        log.warning("not compared with the champion", reason=str(error))
        return {}
    booster = lightgbm.Booster(model_file=bundle.model_path)
    return {CHAMPION: booster.predict(np.ascontiguousarray(dataset.matrix[:, columns]), raw_score=True)}
