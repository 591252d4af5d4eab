"""The layouts in which rows of a view may be stored: a view can gain a field, and earlier rows stay readable.

A row names its layout by a hash. Writers register the layout beside the rows: a Redis hash per view, from the hash of
a layout to its schema. A reader that meets a hash it does not know looks it up there, once.
"""

import struct
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from photofeed.online_store.keys import view_tag
from photofeed.online_store.schema import MISSING, RowSchema

FORMAT: Final = 1
SIGNATURE_BYTES: Final = 5
"""A row begins with its format and the hash of its layout."""


class RowLayout:
    """How the rows of one schema are stored.

    Attributes:
        schema: the names and types of the fields.
        dtype: the packed form without the tail.
        signature: the first bytes of every row.
        null_bytes: bytes of the bits of nulls.
    """

    def __init__(self, schema: RowSchema) -> None:
        self.schema = schema
        self.null_bytes = -(-len(schema.fields) // 8)
        self.dtype = np.dtype(
            [
                ("format", "u1"),
                ("schema", "<u4"),
                ("event", ">u8"),
                ("created", ">u8"),
                ("nulls", "u1", (self.null_bytes,)),
                ("values", schema.values_dtype),
            ]
        )
        self.signature = struct.pack("<BI", FORMAT, schema.hash)
        self.positions = {field.name: position for position, field in enumerate(schema.fields)}

    @cached_property
    def offsets(self) -> tuple[int, int]:
        """The offsets of the event time and of the bits of nulls in a row."""
        fields: Any = self.dtype.fields
        return fields["event"][1], fields["nulls"][1]

    def source(self, name: str, value_type: str) -> tuple[int, int]:
        """The offset in a row of the field of this name and type, and the position of its null bit.

        (MISSING, 0) if this layout has no such field of fixed width.
        """
        position = self.positions.get(name)
        if position is None or self.schema.fields[position].value_type != value_type:
            return MISSING, 0
        row: Any = self.dtype.fields
        fixed: Any = self.schema.values_dtype.fields or {}
        return (row["values"][1] + fixed[name][1], position) if name in fixed else (MISSING, 0)


class LayoutTable:
    """The layouts that a reader knows of one view, numbered. Immutable: `with_schemas` makes another table.

    Attributes:
        layouts: the layouts.
        numbers: first bytes of a row -> the number of its layout.
        sizes: (layouts,) int64, bytes of a row of each layout, without the tail.
    """

    def __init__(self, schemas: Sequence[RowSchema]) -> None:
        self.layouts = tuple(RowLayout(schema) for schema in schemas)
        self.numbers = {layout.signature: number for number, layout in enumerate(self.layouts)}
        self.sizes: NDArray[np.int64] = np.array([layout.dtype.itemsize for layout in self.layouts], np.int64)

    def with_schemas(self, schemas: Sequence[RowSchema]) -> "LayoutTable":
        """The table with these layouts added; this one if it has them all."""
        known = [layout.schema for layout in self.layouts]
        new = [schema for schema in schemas if RowLayout(schema).signature not in self.numbers]
        return LayoutTable([*known, *new]) if new else self


def layouts_key(schema: RowSchema) -> str:
    """The Redis key under which the layouts of the schema's view are registered."""
    return f"layouts:{view_tag(schema.project, schema.view).decode()}"


def append_layout(pipeline: Any, schema: RowSchema) -> None:
    """Append the registration of a layout to a pipeline, before the rows that have it."""
    pipeline.hsetnx(layouts_key(schema), _name(schema), schema.to_json())


def registered_layouts(schema: RowSchema, stored: Mapping[bytes, bytes]) -> list[RowSchema]:
    """The layouts in the registry's hash of the schema's view. Entries that another release wrote are left out."""
    found = []
    for name, text in stored.items():
        try:
            layout = RowSchema.from_json(text)
        except (KeyError, TypeError, ValueError):
            continue  # of a form that this release cannot read
        if _name(layout).encode() == name and layout.view == schema.view and layout.join_keys == schema.join_keys:
            found.append(layout)
    return found


def upgraded(layout: RowLayout, stored: Sequence[bytes | None], known: Mapping[bytes, RowLayout]) -> list[bytes | None]:
    """The stored values with those of other known layouts rewritten in `layout`; fields that they lack are null."""
    values = list(stored)
    groups: dict[bytes, list[int]] = {}
    for index, value in enumerate(values):
        if value is not None and (signature := value[:SIGNATURE_BYTES]) != layout.signature and signature in known:
            groups.setdefault(signature, []).append(index)
    for signature, indices in groups.items():
        rewritten = _rewritten(layout, known[signature], [values[index] or b"" for index in indices])
        for index, value in zip(indices, rewritten, strict=True):
            values[index] = value
    return values


def _rewritten(to: RowLayout, of: RowLayout, values: Sequence[bytes]) -> list[bytes]:
    size = of.dtype.itemsize
    before = np.frombuffer(b"".join(value[:size] for value in values), of.dtype)
    rows = np.zeros(len(values), to.dtype)
    rows["format"], rows["schema"] = FORMAT, to.schema.hash
    rows["event"], rows["created"] = before["event"], before["created"]
    was_null = np.unpackbits(before["nulls"], axis=1, bitorder="little")
    nulls = np.ones((len(values), len(to.schema.fields)), np.uint8)
    for position, field in enumerate(to.schema.fields):
        at = of.positions.get(field.name)
        if at is None or of.schema.fields[at].value_type != field.value_type:
            continue
        nulls[:, position] = was_null[:, at]
        if field.is_fixed:
            rows["values"][field.name] = before["values"][field.name]
    rows["nulls"] = np.packbits(nulls, axis=1, bitorder="little")
    heads: list[bytes] = rows.view(f"V{to.dtype.itemsize}").tolist()
    if not to.schema.variable_fields:
        return heads
    had = [field.name for field in of.schema.variable_fields]
    tails = [dict(zip(had, split_tail(value, of), strict=True)) for value in values]
    names = [field.name for field in to.schema.variable_fields]
    return [head + encode_tail(tail.get(name, b"") for name in names) for head, tail in zip(heads, tails, strict=True)]


_LENGTH: Final = struct.Struct("<I")


def encode_tail(protos: Any) -> bytes:
    """The tail of one row, from the serialized protos of its variable fields in declared order."""
    return b"".join(_LENGTH.pack(len(proto)) + proto for proto in protos)


def split_tail(value: bytes, layout: RowLayout) -> list[bytes]:
    """The serialized protos in the tail of a row, in declared order; empty bytes for null."""
    protos, offset = [], layout.dtype.itemsize
    for _ in layout.schema.variable_fields:
        start = offset + _LENGTH.size
        offset = start + _LENGTH.unpack_from(value, offset)[0]
        protos.append(value[start:offset])
    return protos


def _name(schema: RowSchema) -> str:
    return f"{schema.hash:08x}"


def gather_table(schema: RowSchema, table: LayoutTable) -> NDArray[np.int64]:
    """How `gather_rows` takes the fields of `schema` from rows of each layout of a table, (layouts, fields + 1, 4).

    Per layout first (offset of the event time, offset of the nulls, whether the values are those of `schema`, 0); then
    per field in declared order (offset in the row or MISSING, offset among the values, size, null bit).
    """
    own: Any = schema.values_dtype.fields or {}
    rows = []
    for layout in table.layouts:
        fields = []
        for field in schema.fields:
            at, size = (own[field.name][1], own[field.name][0].itemsize) if field.is_fixed else (0, 0)
            source, null = layout.source(field.name, field.value_type)
            fields.append((source, at, size, null))
        rows.append([(*layout.offsets, int(layout.schema.hash == schema.hash), 0), *fields])
    return np.array(rows, np.int64)
