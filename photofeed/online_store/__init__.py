"""Packed feature rows in Redis: a Feast online store, and a reader and a writer that do not need Feast.

Names are imported on first access. The reader imports numba, which takes 60 MB; training needs only the schemas.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from photofeed.online_store.reader import PackedReader, ViewRows
    from photofeed.online_store.schema import FieldSpec, JoinKey, RowSchema, SchemaMismatchError
    from photofeed.online_store.writer import PackedWriter

__all__ = ["FieldSpec", "JoinKey", "PackedReader", "PackedWriter", "RowSchema", "SchemaMismatchError", "ViewRows"]

_MODULES = {"PackedReader": "reader", "ViewRows": "reader", "PackedWriter": "writer"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES.get(name, 'schema')}"), name)
