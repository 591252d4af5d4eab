"""Some fields of a view's rows as columns of float64, without the structured array of all of them in between."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from photofeed.online_store.codec import StoredRows
from photofeed.online_store.column_kernel import KINDS, write_columns
from photofeed.online_store.layouts import LayoutTable
from photofeed.online_store.schema import RowSchema


class RowColumns:
    """Writes fields of rows into rows of a matrix. Safe to share between threads.

    Args:
        schema: declares the fields and their defaults. Rows of every layout are read, as by `RowCodec.gather`.
        fields: names of fields of fixed width.
        targets: the row of the matrix for each field.

    Raises:
        KeyError: the schema has no such field of fixed width.
    """

    def __init__(self, schema: RowSchema, fields: Sequence[str], targets: Sequence[int]) -> None:
        declared = {field.name: field for field in schema.fixed_fields}
        self._fields = [declared[name] for name in fields]
        self._targets = np.array(targets, np.int64)
        # in the type of the field, as rows have it
        defaults = [np.array([field.default], schema.values_dtype[field.name]).astype(float) for field in self._fields]
        self._defaults = np.concatenate([*defaults, np.empty(0)])
        self._tables: dict[LayoutTable, tuple[NDArray[np.int64], NDArray[np.int64]]] = {}

    def write(self, stored: StoredRows, index: NDArray[np.int64], output: NDArray[np.float64]) -> None:
        """Write the fields of one row per index, with the declared defaults in place of values that are missing.

        Args:
            stored: rows of k entities.
            index: (n,) index of each row's entity; one stands for all rows.
            output: (any, n), written to.

        Raises:
            ValueError: the output has another number of rows.
        """
        if len(index) not in (1, output.shape[1]):
            raise ValueError(f"{len(index)} rows for {output.shape[1]} columns of the output")
        if not output.shape[1]:
            return
        tables = self._tables.get(stored.table)
        if tables is None:
            tables = self._tables[stored.table] = self._of(stored.table)
        data = stored.data, stored.offsets, stored.numbers, index
        write_columns(*data, *tables, self._defaults, self._targets, output)

    def _of(self, table: LayoutTable) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where rows of each layout have nulls, (layouts, 2), and the fields, (layouts, fields, 3)."""
        nulls = [(layout.offsets[1], layout.null_bytes) for layout in table.layouts]
        sources = []
        for layout in table.layouts:
            found = [(field, *layout.source(field.name, field.value_type)) for field in self._fields]
            sources.append([(source, KINDS.index(field.value_type), null) for field, source, null in found])
        shape = (len(table.layouts), len(self._fields), 3)
        return np.array(nulls, np.int64), np.array(sources, np.int64).reshape(shape)
