"""A folder that is not a whole backup of this version is refused in one line."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingestion.backup.archive import MANIFEST, Archive, NewArchive
from ingestion.backup.restore import read_erased
from photofeed.doctor.postgres import newest_revision
from photofeed.errors import ConflictError, InvalidError, NotFoundError, PhotofeedError
from photofeed.ids import encode_id

FILE = "tables/photofeed/users.copy.gz"


@pytest.fixture
def unfinished(tmp_path: Path) -> NewArchive:
    """An archive with a file and an object, and no manifest."""
    archive = NewArchive.create(tmp_path / "backup")
    with archive.write(FILE) as file:
        file.write(b"1\tada\n")
    return archive


@pytest.fixture
def digest(unfinished: NewArchive) -> str:
    """The digest of its object. The manifest is written."""
    stored = unfinished.write_object(b"a photo")
    unfinished.finish((newest_revision(), ""), datetime.now(UTC), {"objects": {"originals": 1}}, {})
    return stored


def _change(folder: Path, **values: object) -> None:
    manifest = folder / MANIFEST
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | values))


def _open(folder: Path, objects: set[str]) -> Archive:
    archive = Archive.open(folder)
    archive.manifest.require_this_version()
    archive.verify(objects)
    return archive


def _refused(folder: Path, objects: set[str], kind: type[PhotofeedError]) -> str:
    with pytest.raises(kind) as refusal:
        _open(folder, objects)
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


def test_a_finished_backup_reads_as_it_was_written(unfinished: NewArchive, digest: str) -> None:
    archive = _open(unfinished.folder, {digest})
    with archive.read(FILE) as file:
        assert file.read() == b"1\tada\n"
    assert archive.read_object(digest) == b"a photo"
    assert not archive.manifest.has_mlflow
    assert unfinished.folder.stat().st_mode & 0o077 == 0, "others must not read the data of people"


def test_a_backup_that_was_interrupted_is_refused(unfinished: NewArchive) -> None:
    assert "interrupted" in _refused(unfinished.folder, set(), NotFoundError)


def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    assert "no backup" in _refused(tmp_path / "nowhere", set(), NotFoundError)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"photofeed": "0.0.1"}, "is of photofeed 0.0.1"),
        ({"revision": "0001"}, "schema 0001"),
        ({"format": 99}, "format 99"),
        ({"format": 99, "shards": []}, "format 99"),
    ],
)
def test_a_backup_of_another_version_is_refused(
    unfinished: NewArchive, digest: str, change: dict[str, object], words: str
) -> None:
    _change(unfinished.folder, **change)
    said = _refused(unfinished.folder, {digest}, InvalidError)
    assert words in said
    assert "restore it with" in said


@pytest.mark.parametrize("text", ["", "{", "[]"])
def test_a_manifest_that_cannot_be_read_is_refused(unfinished: NewArchive, digest: str, text: str) -> None:
    (unfinished.folder / MANIFEST).write_text(text)
    assert MANIFEST in _refused(unfinished.folder, {digest}, InvalidError)


def test_a_file_that_was_changed_or_lost_is_refused(unfinished: NewArchive, digest: str) -> None:
    path = unfinished.folder / FILE
    kept = path.read_bytes()
    path.write_bytes(kept[:-1])
    assert "has changed" in _refused(unfinished.folder, {digest}, InvalidError)
    path.unlink()
    assert "is missing" in _refused(unfinished.folder, {digest}, InvalidError)
    path.write_bytes(kept)
    assert "is missing" in _refused(unfinished.folder, {digest, "0" * 64}, InvalidError)


def test_a_backup_is_made_in_an_empty_folder_only(unfinished: NewArchive) -> None:
    with pytest.raises(ConflictError, match="not empty"):
        NewArchive.create(unfinished.folder)


def test_the_list_of_deleted_accounts_is_what_erasure_list_prints(tmp_path: Path) -> None:
    listed = tmp_path / "erased.tsv"
    listed.write_text(f"{encode_id(7)}\t2026-03-01T00:00:00Z\n\n{encode_id(8)}\n")
    assert read_erased(listed) == [7, 8]
    listed.write_text(f"{encode_id(7)}\nada!\n")
    with pytest.raises(InvalidError, match=r"erased\.tsv:2"):
        read_erased(listed)
