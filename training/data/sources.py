"""The sources of a dataset: the raw logs and Feast's feature history."""

from dataclasses import dataclass, replace
from typing import Self

import pyarrow as pa

from photofeed.allocator import release_on_free
from photofeed.features.manifest import FeatureManifest
from photofeed.features.program import FeatureProgram
from photofeed.features.ranking import PROGRAM, require_stored
from photofeed.offline_store.lake import open_lake
from photofeed.settings import Settings
from training.data.point_in_time import HistoricalFeatures
from training.data.raw_logs import RawLogs


@dataclass(frozen=True, slots=True)
class Sources:
    """The raw logs, the feature store, the manifest of the served FeatureService, and the ranking features to compute.

    Close them after use.
    """

    logs: RawLogs
    features: HistoricalFeatures
    manifest: FeatureManifest
    program: FeatureProgram = PROGRAM

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the feature store's connections."""
        from photofeed.feature_store import close_feature_store  # noqa: PLC0415

        close_feature_store(self.features)

    def with_program(self, program: FeatureProgram) -> "Sources":
        """These sources for other ranking features; close them once.

        Raises:
            InvalidError: a feature reads what is not stored; the message names both.
        """
        program.require_stored(self.manifest)
        return replace(self, program=program)

    @staticmethod
    def open(settings: Settings) -> "Sources":
        """Open the sources that the settings name. Imports Feast, which takes seconds.

        Raises:
            NotFoundError: the feature repo was never applied here.
            InvalidError: the applied feature repo belongs to another release.
            RetryableError: object storage cannot be reached.
        """
        from photofeed.feature_store import load_manifest, open_feature_store  # noqa: PLC0415

        # otherwise memory that reads and joins have freed stays allocated beside the matrix that they fill
        release_on_free()
        pa.set_memory_pool(pa.system_memory_pool())
        lake = open_lake(settings)
        manifest = load_manifest(settings, lake.objects)
        require_stored(manifest)
        return Sources(
            RawLogs(lake, settings.bucket_lake, settings.duckdb_memory_mb), open_feature_store(settings), manifest
        )
