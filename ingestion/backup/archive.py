"""The folder of a backup: files with their digests, and the manifest. A folder without a manifest is not a backup."""

import gzip
import hashlib
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

from photofeed.doctor.postgres import newest_revision
from photofeed.errors import ConflictError, InvalidError, NotFoundError

FORMAT = 1
MANIFEST = "manifest.json"
_THREADS = 4
_COMPRESSION = 1  # higher levels take several times as long for a tenth of the bytes


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup is of.

    Attributes:
        format: of the folder.
        photofeed: the version that made it.
        revision: of the schema of photofeed's database.
        mlflow_revision: of the schema of MLflow's database; empty if MLflow is not in the backup.
        made_at: the moment of the snapshots, in ISO 8601.
        counts: rows by database and table, objects by kind of bucket, messages by topic.
        offsets: group -> topic -> partition -> the next message to read, of the log that was backed up.
        digests: file -> SHA-256, of all files except objects, whose names are their digests.
    """

    format: int
    photofeed: str
    revision: str
    mlflow_revision: str
    made_at: str
    counts: dict[str, dict[str, int]]
    offsets: dict[str, dict[str, dict[str, int]]]
    digests: dict[str, str]

    @property
    def has_mlflow(self) -> bool:
        """Whether MLflow is in the backup."""
        return bool(self.mlflow_revision)

    def require_this_version(self) -> None:
        """Refuse a backup that this version may read wrongly.

        Raises:
            InvalidError: another version made it.
        """
        mine = (FORMAT, version("photofeed"), newest_revision())
        theirs = (self.format, self.photofeed, self.revision)
        if theirs != mine:
            raise InvalidError(
                f"the backup is of photofeed {self.photofeed} (schema {self.revision}, format {self.format}), and this "
                f"is {mine[1]} (schema {mine[2]}, format {FORMAT}): restore it with that version, then upgrade",
                code="backup_version",
            )


@dataclass(slots=True)
class NewArchive:
    """A backup that is being made in an empty folder."""

    folder: Path
    digests: dict[str, str] = field(default_factory=dict)

    @classmethod
    def create(cls, folder: Path) -> Self:
        """Begin a backup.

        Raises:
            ConflictError: the folder has files.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise ConflictError(f"{folder} is not empty: name a new folder")
        return cls(folder)

    @contextmanager
    def write(self, name: str) -> Iterator[gzip.GzipFile]:
        """A compressed file of the backup; its digest is kept."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file, gzip.GzipFile("", "wb", _COMPRESSION, file, mtime=0) as compressed:
            yield compressed
        self.digests[name] = _digest(path)

    def write_object(self, data: bytes) -> str:
        """Keep the bytes of an object; returns their digest, which is their name. Threads may share this method."""
        digest = hashlib.sha256(data).hexdigest()
        path = _object_path(self.folder, digest)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_name(f"{digest}.{os.urandom(4).hex()}")
            partial.write_bytes(data)
            partial.replace(path)
        return digest

    def finish(
        self,
        revisions: tuple[str, str],
        made_at: datetime,
        counts: dict[str, dict[str, int]],
        offsets: dict[str, dict[str, dict[str, int]]],
    ) -> Manifest:
        """Write the manifest, which makes the folder a backup; `revisions` are photofeed's and MLflow's."""
        manifest = Manifest(
            FORMAT,
            version("photofeed"),
            *revisions,
            made_at.astimezone(UTC).isoformat(),
            counts,
            offsets,
            dict(sorted(self.digests.items())),
        )
        partial = self.folder / f"{MANIFEST}.part"
        with partial.open("w") as file:
            json.dump(asdict(manifest), file, indent=2)
            file.flush()
            os.sync()  # all files must be on the disk before the manifest says that they are
        partial.replace(self.folder / MANIFEST)
        return manifest


@dataclass(frozen=True, slots=True)
class Archive:
    """A backup that is complete."""

    folder: Path
    manifest: Manifest

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Read the manifest of a backup.

        Raises:
            NotFoundError: the folder has none, so the backup was not finished or is none.
            InvalidError: the manifest cannot be read.
        """
        try:
            document = json.loads((folder / MANIFEST).read_bytes())
        except FileNotFoundError:
            raise NotFoundError(
                f"{folder} has no {MANIFEST}: it is no backup, or making it was interrupted; use another one"
            ) from None
        except ValueError as error:
            raise InvalidError(f"{folder / MANIFEST} cannot be read: {error}", code="backup_damaged") from None
        try:
            return cls(folder, Manifest(**document))
        except TypeError:
            found = document.get("format") if isinstance(document, dict) else None
            raise InvalidError(
                f"{folder / MANIFEST} has format {found}, and this version reads {FORMAT}: "
                "restore it with the version that made it",
                code="backup_version",
            ) from None

    def names(self, prefix: str) -> list[str]:
        """The files whose names begin with `prefix`, except objects."""
        return [name for name in self.manifest.digests if name.startswith(prefix)]

    @contextmanager
    def read(self, name: str) -> Iterator[gzip.GzipFile]:
        """The content of a file."""
        with gzip.open(self.folder / name, "rb") as file:
            yield file

    def lines(self, name: str) -> Iterator[Any]:
        """The JSON lines of a file."""
        with self.read(name) as file:
            yield from map(json.loads, file)

    def read_object(self, digest: str) -> bytes:
        """The bytes of an object."""
        return _object_path(self.folder, digest).read_bytes()

    def verify(self, objects: set[str]) -> None:
        """Compare every file and these objects with their digests.

        Raises:
            InvalidError: one of them is missing or was changed.
        """
        paths = {self.folder / name: digest for name, digest in self.manifest.digests.items()}
        paths |= {_object_path(self.folder, digest): digest for digest in objects}
        with ThreadPoolExecutor(_THREADS) as readers:
            for path, found in zip(paths, readers.map(_digest_if_there, paths), strict=True):
                if found != paths[path]:
                    what = "is missing" if found is None else "has changed since the backup was made"
                    raise InvalidError(f"{path} {what}: the backup is damaged, use another one", code="backup_damaged")


def _object_path(folder: Path, digest: str) -> Path:
    return folder / "objects" / digest[:2] / digest


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest_if_there(path: Path) -> str | None:
    try:
        return _digest(path)
    except FileNotFoundError:
        return None
