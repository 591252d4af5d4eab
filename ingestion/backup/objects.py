"""Objects of buckets. A backup is made while they are written: first most of them, then what has changed since."""

import json
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from ingestion.backup.archive import Archive, NewArchive
from photofeed.errors import ConflictError, RetryableError
from photofeed.object_store import S3ObjectStore
from photofeed.settings import Settings

INDEX = "objects.jsonl.gz"
LAKE, MLFLOW = "lake", "mlflow"
_TRANSFERS = 8
_AT_ONCE = 1_000
_LISTINGS = 5


class _Absent(Enum):
    """Why an object cannot be copied as it was listed."""

    GONE = frozenset({"NoSuchKey", "404", "NotFound"})
    REPLACED = frozenset({"412", "PreconditionFailed"})


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket, and the beginning of the keys that are in a backup."""

    bucket: str
    prefix: str = ""

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"


def places(settings: Settings, *, mlflow: bool) -> dict[str, Place]:
    """Where the settings keep each kind of object. A backup names the kinds, so buckets may have other names."""
    found = {
        "originals": Place(settings.bucket_originals),
        "variants": Place(settings.bucket_variants),
        LAKE: Place(settings.bucket_lake),
    }
    if mlflow:
        address = urlsplit(settings.mlflow_artifacts)
        prefix = address.path.strip("/")
        found[MLFLOW] = Place(address.netloc, f"{prefix}/" if prefix else "")
    return found


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object of a backup; `name` is its key without the prefix of its place."""

    kind: str
    name: str
    media_type: str
    cache_control: str
    sha256: str


@dataclass(slots=True)
class ObjectCopies:
    """Copies of the objects of some places, which follow what changes in them."""

    client: Any
    archive: NewArchive
    places: Mapping[str, Place]
    _copied: dict[tuple[str, str], tuple[str, StoredObject]] = field(default_factory=dict)

    def begin(self) -> None:
        """Copy what is stored, except what goes or changes meanwhile: `follow` has to be called afterwards."""
        self._copy(dict(self._listed(self.places)))

    def follow(self) -> None:
        """Copy what is new or has changed since the last call, and forget what is gone.

        Afterwards the copies are what was stored when the last listing ended, except deleted images.

        Raises:
            RetryableError: objects are replaced faster than they can be copied.
        """
        self._catch_up(self.places, forgets=True)

    def add(self, kinds: Collection[str]) -> None:
        """Copy what is new or has changed since the last call in some places, and keep what is gone.

        Raises:
            RetryableError: objects are replaced faster than they can be copied.
        """
        self._catch_up(kinds, forgets=False)

    def _catch_up(self, kinds: Collection[str], *, forgets: bool) -> None:
        for _ in range(_LISTINGS):
            listed = dict(self._listed(kinds))
            for gone in self._copied.keys() - listed.keys() if forgets else ():
                del self._copied[gone]
            changed = {one: etag for one, etag in listed.items() if self._etag(one) != etag}
            if self._copy(changed):
                return
        raise RetryableError("objects are replaced faster than they can be copied: try again")

    def finish(self) -> dict[str, int]:
        """Write the index; returns how many objects there are of each kind."""
        counts = dict.fromkeys(self.places, 0)
        with self.archive.write(INDEX) as file:
            for _, (_, stored) in sorted(self._copied.items()):
                file.write(json.dumps(asdict(stored)).encode() + b"\n")
                counts[stored.kind] += 1
        return counts

    def _listed(self, kinds: Collection[str]) -> Iterator[tuple[tuple[str, str], str]]:
        """(kind, key) and ETag of all objects of some places."""
        pages = self.client.get_paginator("list_objects_v2")
        for kind in kinds:
            place = self.places[kind]
            for page in pages.paginate(Bucket=place.bucket, Prefix=place.prefix):
                for one in page.get("Contents", []):
                    yield (kind, one["Key"]), one["ETag"]

    def _etag(self, one: tuple[str, str]) -> str | None:
        copied = self._copied.get(one)
        return copied and copied[0]

    def _copy(self, wanted: Mapping[tuple[str, str], str]) -> bool:
        """Copy objects as they were listed; False if they have to be listed again.

        That is when one was replaced, or when a part of the lake is gone: its rows are in another part now. People
        delete images at any time, and nothing takes the place of those.
        """
        complete, waiting = True, list(wanted.items())
        with ThreadPoolExecutor(_TRANSFERS) as transfers:
            for start in range(0, len(waiting), _AT_ONCE):
                part = waiting[start : start + _AT_ONCE]
                for (one, etag), stored in zip(part, transfers.map(lambda each: self._get(*each), part), strict=True):
                    if isinstance(stored, StoredObject):
                        self._copied[one] = etag, stored
                    elif stored is _Absent.REPLACED or one[0] == LAKE:
                        complete = False
        return complete

    def _get(self, one: tuple[str, str], etag: str) -> StoredObject | _Absent:
        kind, key = one
        place = self.places[kind]
        try:
            reply = self.client.get_object(Bucket=place.bucket, Key=key, IfMatch=etag)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code")
            for absent in _Absent:
                if code in absent.value:
                    return absent
            raise
        return StoredObject(
            kind,
            key.removeprefix(place.prefix),
            reply.get("ContentType", ""),
            reply.get("CacheControl", ""),
            self.archive.write_object(reply["Body"].read()),
        )


def stored_objects(archive: Archive) -> Iterator[StoredObject]:
    """The objects of a backup."""
    return (StoredObject(**line) for line in archive.lines(INDEX))


def require_no_others(store: S3ObjectStore, archive: Archive, wanted: Mapping[str, Place]) -> None:
    """Refuse buckets with objects that are not in the backup. Set-up writes some of those that are.

    Raises:
        ConflictError: there is another object.
    """
    known = {(one.kind, one.name) for one in stored_objects(archive)}
    for kind, place in wanted.items():
        for key in store.keys(place.bucket, place.prefix):
            if (kind, key.removeprefix(place.prefix)) not in known:
                raise ConflictError(
                    f"{place.bucket} has {key}, which is not in the backup: restore into empty buckets",
                    code="not_empty",
                )


def put_objects(store: S3ObjectStore, archive: Archive, wanted: Mapping[str, Place]) -> None:
    """Store the objects of a backup.

    Raises:
        UnavailableError: object storage does not answer.
    """

    def put(one: StoredObject) -> None:
        place = wanted[one.kind]
        store.put(
            place.bucket,
            f"{place.prefix}{one.name}",
            archive.read_object(one.sha256),
            one.media_type,
            cache_control=one.cache_control,
        )

    waiting: list[StoredObject] = []
    with ThreadPoolExecutor(_TRANSFERS) as transfers:
        for one in stored_objects(archive):
            waiting.append(one)
            if len(waiting) == _AT_ONCE:
                list(transfers.map(put, waiting))
                waiting = []
        list(transfers.map(put, waiting))
