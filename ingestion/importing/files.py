"""The files of an import: which there are, and their rows as text in DuckDB."""

import csv
import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ingestion.importing.tables import TABLES, Kind, Table
from photofeed.errors import InvalidError

if TYPE_CHECKING:
    import duckdb

SUFFIXES = (".csv", ".csv.gz", ".parquet")
_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
_PLAIN_TYPES = (
    *_INTEGERS,
    *(f"U{integer}" for integer in _INTEGERS),
    *("VARCHAR", "FLOAT", "DOUBLE", "DECIMAL", "DATE", "TIMESTAMP", "ENUM", "UUID"),
)
_HASHED_AT_ONCE = 1 << 20


@dataclass(frozen=True, slots=True)
class InputFile:
    """One file of an import, the columns that it has, in its order, and those of them that are lists."""

    table: Table
    path: Path
    columns: tuple[str, ...]
    lists: frozenset[str] = frozenset()

    @property
    def is_parquet(self) -> bool:
        """Whether it is Parquet; CSV otherwise."""
        return self.path.suffix == ".parquet"


def find_files(folder: Path) -> dict[str, InputFile]:
    """The files of a folder by table, with their columns checked.

    Raises:
        InvalidError: there are none, or two of one table, or one that is no table, or a column is missing or unknown.
    """
    if not folder.is_dir():
        raise InvalidError(f"there is no folder {folder}")
    found: dict[str, InputFile] = {}
    tables = {table.name: table for table in TABLES}
    for path in sorted(folder.iterdir()):
        suffix = next((suffix for suffix in SUFFIXES if path.name.endswith(suffix)), None)
        if suffix is None:
            continue
        name = path.name.removesuffix(suffix)
        if name not in tables:
            raise InvalidError(f"{path}: not a table of an import; there are {', '.join(tables)}")
        if name in found:
            raise InvalidError(f"{folder} has {found[name].path.name} and {path.name}: remove one of them")
        found[name] = _input_file(path, tables[name])
    if not found:
        raise InvalidError(f"{folder} has no table of an import: {', '.join(tables)}, as {' or '.join(SUFFIXES)}")
    return found


def digest_of(files: dict[str, InputFile]) -> str:
    """A hash of what is in the files: the name of this import."""
    digest = hashlib.blake2b(digest_size=8)
    for name, file in sorted(files.items()):
        digest.update(name.encode())
        with file.path.open("rb") as data:
            while piece := data.read(_HASHED_AT_ONCE):
                digest.update(piece)
    return digest.hexdigest()


def load(connection: "duckdb.DuckDBPyConnection", file: InputFile) -> None:
    """Read a file into a table `raw_<name>`: its columns as text, those that it lacks as null, and `row`, from 1.

    A file without columns stands for no file: no rows. Lines of CSV that have too few or too many values, or are not
    UTF-8, are in `lines_<name>` (row, reason, line).

    Raises:
        InvalidError: it cannot be read as the format that its name says.
    """
    import duckdb  # noqa: PLC0415  only imports need it

    name = file.table.name
    if not file.columns:  # no file of this table
        nothing = ", ".join(f"null::varchar as {column}" for column in file.table.names)
        connection.execute(f'create table raw_{name} as select 0::bigint as "row", {nothing} where false')
        connection.execute(f'create table lines_{name} ("row" bigint, reason varchar, line varchar)')
        return
    chosen = ", ".join(_as_text(column.name, file) for column in file.table.columns)
    try:
        connection.execute(
            f"create table raw_{name} as select row_number() over () as row, {chosen} from {_source(file)}"  # noqa: S608
        )
        lines = "select null::bigint, null::varchar, null::varchar where false"
        if not file.is_parquet:
            lines = f"""select line, 'the line does not have one value per column', any_value(csv_line)
                from rejects_{name} group by line"""  # noqa: S608  a table's own name
        connection.execute(f'create table lines_{name} as select * from ({lines}) as lines("row", reason, line)')  # noqa: S608
    except duckdb.Error as error:
        form = "Parquet" if file.is_parquet else "CSV as in RFC 4180, with line ends of one kind"
        raise InvalidError(f"{file.path} cannot be read as {form}: {str(error).splitlines()[0]}") from error


def _input_file(path: Path, table: Table) -> InputFile:
    kinds = _parquet_columns(path, table) if path.suffix == ".parquet" else dict.fromkeys(_csv_columns(path), "VARCHAR")
    columns = tuple(kinds)
    if missing := [name for name in table.required if name not in columns]:
        raise InvalidError(f"{path} lacks the column {missing[0]!r}; it has {', '.join(columns) or 'none'}")
    if unknown := [name for name in columns if name not in table.names]:
        raise InvalidError(
            f"{path} has a column {unknown[0]!r}, which {table.name} do not have: {', '.join(table.names)}"
        )
    return InputFile(table, path, columns, frozenset(name for name, kind in kinds.items() if kind.endswith("]")))


def _csv_columns(path: Path) -> tuple[str, ...]:
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8-sig", newline="") as lines:
            columns = tuple(name.strip() for name in next(csv.reader(lines), []))
    except (UnicodeDecodeError, csv.Error, EOFError, gzip.BadGzipFile) as error:
        raise InvalidError(f"{path} does not begin with a line of column names: {error}") from error
    if twice := [name for name in columns if columns.count(name) > 1]:
        raise InvalidError(f"{path} has two columns {twice[0]!r}")
    return columns


def _parquet_columns(path: Path, table: Table) -> dict[str, str]:
    import duckdb  # noqa: PLC0415

    kinds = {column.name: column.kind for column in table.columns}
    try:
        with duckdb.connect() as connection:
            described = connection.execute("describe select * from read_parquet(?)", [str(path)]).fetchall()
    except duckdb.Error as error:
        raise InvalidError(f"{path}: {str(error).splitlines()[0]}") from error
    for name, kind, *_ in described:
        is_list_of_tags = kind == "VARCHAR[]" and kinds.get(name) is Kind.TAGS
        if name in kinds and not is_list_of_tags and (not kind.startswith(_PLAIN_TYPES) or kind.endswith("]")):
            raise InvalidError(f"{path}: the column {name!r} is {kind}, which is no {kinds[name]}")
    return {name: kind for name, kind, *_ in described}


def _source(file: InputFile) -> str:
    path = str(file.path).replace("'", "''")
    if file.is_parquet:
        return f"read_parquet('{path}')"
    columns = ", ".join(f"'{name}': 'VARCHAR'" for name in file.columns)
    rejects = f"store_rejects = true, rejects_limit = 0, rejects_table = 'rejects_{file.table.name}'"
    scan = f"rejects_scan = 'scan_{file.table.name}'"
    return f"""read_csv('{path}', auto_detect = false, header = true, delim = ',', quote = '"', escape = '"',
        columns = {{{columns}}}, {rejects}, {scan})"""


def _as_text(name: str, file: InputFile) -> str:
    if name not in file.columns:
        return f"null::varchar as {name}"
    return f"array_to_string({name}, '|') as {name}" if name in file.lists else f"{name}::varchar as {name}"
