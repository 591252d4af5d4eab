"""Where a dataset comes from: the raw logs and Feast's history, opened from the settings."""

from dataclasses import dataclass
from typing import Self

from photofeed.features.manifest import FeatureManifest
from photofeed.settings import Settings
from training.log_mirror import LogMirror
from training.point_in_time import HistoricalFeatures


@dataclass(frozen=True, slots=True)
class Sources:
    """The raw logs, the feature store, and what the served FeatureService is made of; close them after use."""

    logs: LogMirror
    features: HistoricalFeatures
    manifest: FeatureManifest

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the feature store's connections."""
        from photofeed.feature_store import close_feature_store  # noqa: PLC0415

        close_feature_store(self.features)

    @staticmethod
    def open(settings: Settings) -> "Sources":
        """The sources that the settings name; imports Feast, which takes seconds.

        Raises:
            NotFoundError: the feature repo was never applied here.
            RetryableError: object storage cannot be reached.
        """
        from photofeed.feature_store import load_manifest, open_feature_store  # noqa: PLC0415
        from photofeed.object_store import S3ObjectStore  # noqa: PLC0415

        objects = S3ObjectStore.connect(settings)
        manifest = load_manifest(settings, objects)
        logs = LogMirror(objects, settings.bucket_lake, settings.state_dir / "lake-mirror" / settings.bucket_lake)
        return Sources(logs, open_feature_store(settings), manifest)
