"""Packed feature rows in Redis: a Feast online store, and a reader and a writer that need no Feast."""

from photofeed.online_store.reader import PackedReader, ViewRows
from photofeed.online_store.schema import FieldSpec, JoinKey, RowSchema, SchemaMismatchError
from photofeed.online_store.writer import PackedWriter

__all__ = ["FieldSpec", "JoinKey", "PackedReader", "PackedWriter", "RowSchema", "SchemaMismatchError", "ViewRows"]
