"""The Feast offline store: feature history as Parquet in object storage, joined by DuckDB.

`offline_store: {type: photofeed.offline_store.LakeOfflineStore}` in feature_store.yaml, or SparkLakeOfflineStore, to
join on a Spark cluster. The classes are imported on first access, because importing Feast takes seconds and Spark may
not be installed. `photofeed.offline_store.lake` does not need Feast.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from photofeed.offline_store.spark import SparkLakeOfflineStore, SparkLakeOfflineStoreConfig
    from photofeed.offline_store.store import LakeOfflineStore, LakeOfflineStoreConfig

__all__ = ["LakeOfflineStore", "LakeOfflineStoreConfig", "SparkLakeOfflineStore", "SparkLakeOfflineStoreConfig"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{'spark' if name.startswith('Spark') else 'store'}"), name)
