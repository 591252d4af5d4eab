"""Scoring tables: a model compiled for the kernel, as plain arrays in one file."""

import zipfile
import zlib
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Self

import numpy as np

from photofeed.models.scorer.errors import TablesError
from photofeed.models.scorer.table_arrays import TableArrays
from photofeed.models.scorer.table_bounds import check_bounds

FORMAT_VERSION = 1
# raised by zipfile and numpy on damaged bytes; RuntimeError: "encrypted", "compression not supported"
DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, KeyError, OSError, RuntimeError, TypeError, ValueError)


@dataclass(frozen=True, slots=True)
class ScoringTables:
    """A compiled model: the arrays, the number of features of a row, and the digest of the model text."""

    model_sha256: str
    features: int
    arrays: TableArrays = field(repr=False)

    def save(self, path: Path) -> None:
        """Write one uncompressed .npz without pickles."""
        with path.open("wb") as file:
            np.savez(
                file,
                format_version=np.int64(FORMAT_VERSION),
                model_sha256=np.str_(self.model_sha256),
                features=np.int64(self.features),
                **self.arrays._asdict(),
            )

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read tables that `save` wrote.

        Raises:
            OSError: the file does not exist or cannot be read.
            TablesError: the file is damaged, of another format version, or inconsistent.
        """
        content = path.read_bytes()  # every later error means that the file is damaged
        try:
            with zipfile.ZipFile(BytesIO(content)) as archive:
                damaged = archive.testzip()  # by checksums, which numpy does not verify
            if damaged is not None:
                raise TablesError(f"{path}: damaged scoring tables: {damaged}")
            with np.load(BytesIO(content), allow_pickle=False) as members:
                version = int(members["format_version"])
                if version != FORMAT_VERSION:
                    raise TablesError(f"{path}: table format {version}, this engine reads {FORMAT_VERSION}")
                arrays = TableArrays(**{name: members[name] for name in TableArrays._fields})
                tables = cls(str(members["model_sha256"]), int(members["features"]), arrays)
        except DAMAGE as error:
            raise TablesError(f"{path}: damaged scoring tables: {error}") from error
        check_bounds(tables.features, tables.arrays)
        return tables
