"""Files that are no tables of an import are refused before anything is read from them."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingestion.importing.files import digest_of, find_files
from photofeed.errors import InvalidError


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("people.csv", "user_id\n1\n", "not a table of an import; there are users, items"),
        ("users.csv", "", "lacks the column 'user_id'; it has none"),
        ("users.csv", "id\n1\n", "lacks the column 'user_id'; it has id"),
        ("users.csv", "user_id,age\n1,2\n", "has a column 'age', which users do not have"),
        ("users.csv", "user_id,user_id\n1,2\n", "has two columns 'user_id'"),
        ("users.csv.gz", "user_id\n1\n", "does not begin with a line of column names"),
        ("users.parquet", "user_id\n1\n", "users.parquet"),
        ("notes.txt", "", "has no table of an import"),
    ],
)
def test_files_of_another_form_are_refused(tmp_path: Path, file: str, content: str, message: str) -> None:
    (tmp_path / file).write_text(content)
    with pytest.raises(InvalidError, match=message) as refused:
        find_files(tmp_path)
    assert len(str(refused.value).splitlines()) == 1


def test_parquet_types_that_are_no_values_are_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"user_id": [["a"], ["b"]]}), tmp_path / "users.parquet")
    with pytest.raises(InvalidError, match=r"'user_id' is VARCHAR\[\], which is no id"):
        find_files(tmp_path)


def test_two_files_of_one_table_are_refused(tmp_path: Path) -> None:
    (tmp_path / "users.csv").write_text("user_id\n1\n")
    (tmp_path / "users.csv.gz").write_bytes(b"")
    with pytest.raises(InvalidError, match=r"has users.csv and users.csv.gz: remove one"):
        find_files(tmp_path)
    with pytest.raises(InvalidError, match="there is no folder"):
        find_files(tmp_path / "nowhere")


def test_an_import_is_named_after_what_is_in_its_files(tmp_path: Path) -> None:
    (tmp_path / "users.csv").write_text("user_id\n1\n")
    first = digest_of(find_files(tmp_path))
    assert digest_of(find_files(tmp_path)) == first
    (tmp_path / "users.csv").write_text("user_id\n2\n")
    assert digest_of(find_files(tmp_path)) != first
