"""Scores of registered versions, among them the champion, for the impressions of a dataset."""

from pathlib import Path

import structlog

from photofeed.arrays import FloatArray
from photofeed.errors import InvalidError, PermanentError
from photofeed.features.manifest import FeatureManifest
from photofeed.features.program import FeatureProgram
from photofeed.models.contract import LIGHTGBM
from photofeed.models.registry import CHAMPION, ModelBundle, ModelRegistry
from photofeed.models.scorer import ScorerError
from photofeed.models.servable import load_scorer
from photofeed.settings import Settings
from training.data.dataset import Dataset

log = structlog.get_logger(__name__)


def champion_scores(registry: ModelRegistry, folder: Path, dataset: Dataset) -> dict[str, FloatArray]:
    """`champion` -> its raw scores for the rows of the dataset. Empty if no champion exists or it cannot score them.

    Model files are cached in `folder`.

    Raises:
        RetryableError: MLflow does not answer.
    """
    if registry.current_version(CHAMPION) is None:
        return {}
    try:
        return {CHAMPION: bundle_scores(registry.fetch(CHAMPION, folder), dataset)}
    except PermanentError as error:
        # a damaged champion, or one with other features, must not block the training of a better one
        log.warning("not compared with the champion", reason=str(error))
        return {}


def champion_program(registry: ModelRegistry, folder: Path, manifest: FeatureManifest) -> FeatureProgram | None:
    """The features of the champion; None without a champion that can be compared.

    Raises:
        RetryableError: MLflow does not answer.
    """
    if registry.current_version(CHAMPION) is None:
        return None
    try:
        return comparable_program(registry.fetch(CHAMPION, folder), manifest)
    except PermanentError as error:
        log.warning("not compared with the champion", reason=str(error))
        return None


def version_program(settings: Settings, version: str) -> FeatureProgram:
    """The features of a version, which is a number or an alias.

    Raises:
        NotFoundError: no such version.
        UnknownFeatureError: this release lacks a function that its features refer to.
        RetryableError: MLflow does not answer.
    """
    with ModelRegistry.connect(settings) as registry:
        return registry.fetch(version, settings.state_dir / "models").contract.program


def comparable_program(bundle: ModelBundle, manifest: FeatureManifest) -> FeatureProgram | None:
    """The features of a version; None if this release, or the stored features of now, do not suffice for them."""
    try:
        program = bundle.contract.program
        program.require_stored(manifest)
    except PermanentError as error:
        log.warning("version cannot be compared", version=bundle.version, reason=str(error))
        return None
    return program


def bundle_scores(bundle: ModelBundle, dataset: Dataset) -> FloatArray:
    """The raw scores, (rows,), of a registered version for the rows of a dataset.

    Raises:
        InvalidError: the version needs features that the dataset lacks, or its file cannot be read.
    """
    import lightgbm  # noqa: PLC0415

    unknown = [name for name in bundle.contract.feature_names if name not in dataset.feature_names]
    if unknown:
        raise InvalidError(f"version {bundle.version} needs features that this release lacks: {', '.join(unknown)}")
    matrix = dataset.columns(bundle.contract.feature_names)
    if bundle.contract.engine != LIGHTGBM:
        try:
            return load_scorer(bundle).score(matrix)
        except ScorerError as error:
            raise InvalidError(f"version {bundle.version} cannot score: {error}") from error
    try:
        booster = lightgbm.Booster(model_file=bundle.model_path)
    except lightgbm.basic.LightGBMError as error:
        raise InvalidError(f"LightGBM cannot read the model of version {bundle.version}: {error}") from error
    scores: FloatArray = booster.predict(matrix, raw_score=True)
    return scores
