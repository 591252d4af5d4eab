"""Scoring tables: a model compiled for the kernel, as plain arrays that are kept in one file."""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from photofeed.scorer.errors import TablesError
from photofeed.scorer.table_arrays import TableArrays
from photofeed.scorer.table_bounds import check_bounds

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class ScoringTables:
    """A compiled model: the arrays, how many features a row has, and the digest of the model text they came from."""

    model_sha256: str
    features: int
    arrays: TableArrays

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
            FileNotFoundError: there is no such file.
            TablesError: the file is damaged, of another format version, or inconsistent.
        """
        try:
            with zipfile.ZipFile(path), np.load(path, allow_pickle=False) as members:
                version = int(members["format_version"])
                if version != FORMAT_VERSION:
                    raise TablesError(f"{path}: table format {version}, this engine reads {FORMAT_VERSION}")
                arrays = TableArrays(**{name: members[name] for name in TableArrays._fields})
                tables = cls(str(members["model_sha256"]), int(members["features"]), arrays)
        except (zipfile.BadZipFile, KeyError, ValueError, TypeError, EOFError) as error:
            raise TablesError(f"{path}: damaged scoring tables: {error}") from error
        check_bounds(tables.features, tables.arrays)
        return tables
