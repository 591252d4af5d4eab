"""The Feast offline store: feature history as Parquet in object storage, joined by DuckDB.

`offline_store: {type: photofeed.offline_store.LakeOfflineStore}` in feature_store.yaml. The classes are imported when
they are asked for, because Feast takes seconds; `photofeed.offline_store.lake` needs no Feast.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from photofeed.offline_store.store import LakeOfflineStore, LakeOfflineStoreConfig

__all__ = ["LakeOfflineStore", "LakeOfflineStoreConfig"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from photofeed.offline_store import store  # noqa: PLC0415

        return getattr(store, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
