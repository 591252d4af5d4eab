"""Where a dataset comes from: the raw logs and Feast's history, opened from the settings."""

from dataclasses import dataclass
from typing import Self

import pyarrow as pa

from photofeed.allocator import return_freed_memory
from photofeed.features.manifest import FeatureManifest
from photofeed.features.ranking import require_stored
from photofeed.offline_store.lake import open_lake
from photofeed.settings import Settings
from training.point_in_time import HistoricalFeatures
from training.raw_logs import RawLogs


@dataclass(frozen=True, slots=True)
class Sources:
    """The raw logs, the feature store, and what the served FeatureService is made of; close them after use."""

    logs: RawLogs
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
            InvalidError: what was applied is of another release.
            RetryableError: object storage cannot be reached.
        """
        from photofeed.feature_store import load_manifest, open_feature_store  # noqa: PLC0415

        # else what reads and joins have freed stays beside the matrix that they fill
        return_freed_memory()
        pa.set_memory_pool(pa.system_memory_pool())
        lake = open_lake(settings)
        manifest = load_manifest(settings, lake.objects)
        require_stored(manifest)
        return Sources(
            RawLogs(lake, settings.bucket_lake, settings.duckdb_memory_mb), open_feature_store(settings), manifest
        )
