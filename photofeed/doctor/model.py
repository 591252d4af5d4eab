"""The model registry: the champion, its files, and the features that it needs."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from photofeed.doctor.finding import Finding, ok, wrong
from photofeed.errors import NotFoundError, RetryableError
from photofeed.feature_store import load_manifest
from photofeed.models.contract import DamagedModelError
from photofeed.models.registry import CHAMPION, ModelRegistry
from photofeed.object_store import S3ObjectStore
from photofeed.settings import Settings


def model(settings: Settings) -> Iterator[Finding]:
    """Check that the champion can be loaded. Its files are downloaded into a folder that is removed again."""
    try:
        with ModelRegistry.connect(settings) as registry, tempfile.TemporaryDirectory() as folder:
            registry.ping()
            bundle = registry.fetch(CHAMPION, Path(folder))
    except NotFoundError as error:
        yield wrong("model.champion", str(error), "run `photofeed train --promote`; until then popularity ranks")
    except DamagedModelError as error:
        yield wrong("model.files", str(error), "run `photofeed rollback`, or promote another version")
    except RetryableError as error:
        yield wrong("model.connection", str(error), "start MLflow, or correct PHOTOFEED_MLFLOW_TRACKING_URI")
    else:
        yield ok("model.champion", f"{settings.model_name} version {bundle.version}")


def features(settings: Settings) -> Iterator[Finding]:
    """Check that the feature repo was applied."""
    try:
        manifest = load_manifest(settings, S3ObjectStore.connect(settings))
    except NotFoundError:
        yield wrong("features.manifest", f"{settings.feature_service} was never applied", "run `photofeed setup`")
    except RetryableError as error:
        yield wrong("features.manifest", str(error), "mend the object storage first")
    else:
        yield ok("features.manifest", f"{manifest.service} ({manifest.hash})")
