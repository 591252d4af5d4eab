"""An object store in this process."""

import hashlib
import threading
from collections.abc import Iterator
from datetime import datetime

from photofeed.errors import ConflictError, NotFoundError
from photofeed.object_store import ObjectInfo, UploadConditions


class InMemoryObjectStore:
    """Buckets of objects in this process."""

    def __init__(self) -> None:
        self._objects: dict[tuple[str, str], tuple[bytes, str]] = {}
        self.cache_control: dict[tuple[str, str], str] = {}
        self._lock = threading.Lock()

    def put(self, bucket: str, key: str, data: bytes, media_type: str, *, cache_control: str = "") -> None:
        """Write an object whole."""
        with self._lock:
            self._objects[bucket, key] = (data, media_type)
            self.cache_control[bucket, key] = cache_control

    def put_new(self, bucket: str, key: str, data: bytes, media_type: str) -> bool:
        """Write an object unless its key is taken."""
        with self._lock:
            return self._objects.setdefault((bucket, key), (data, media_type))[0] is data

    def copy(self, bucket: str, source: str, target: str, etag: str) -> str:
        """Copy an object within a bucket if it still has this ETag; returns the ETag of the copy."""
        data, media_type = self._find(bucket, source)
        _check(data, etag)
        self.put(bucket, target, data, media_type)
        return etag

    def get(self, bucket: str, key: str, *, etag: str | None = None) -> bytes:
        """The object's bytes."""
        data = self._find(bucket, key)[0]
        if etag is not None:
            _check(data, etag)
        return data

    def head(self, bucket: str, key: str) -> ObjectInfo:
        """Size, etag and media type."""
        data, media_type = self._find(bucket, key)
        return ObjectInfo(len(data), _etag(data), media_type)

    def delete(self, bucket: str, key: str) -> None:
        """Remove an object."""
        with self._lock:
            self._objects.pop((bucket, key), None)

    def keys(self, bucket: str, prefix: str) -> Iterator[str]:
        """Keys that start with `prefix`, in order."""
        with self._lock:
            found = sorted(key for owner, key in self._objects if owner == bucket and key.startswith(prefix))
        yield from found

    def abort_multipart(self, bucket: str, before: datetime) -> int:  # noqa: ARG002
        """Nothing: objects are only put whole here."""
        return 0

    def presign_put(self, bucket: str, key: str, seconds: int, conditions: UploadConditions) -> str:  # noqa: ARG002
        """An address that only names the object: nothing listens in memory."""
        return f"memory://{bucket}/{key}"

    def presign_get(self, bucket: str, key: str, seconds: int) -> str:  # noqa: ARG002
        """An address that only names the object."""
        return f"memory://{bucket}/{key}"

    def _find(self, bucket: str, key: str) -> tuple[bytes, str]:
        with self._lock:
            try:
                return self._objects[bucket, key]
            except KeyError:
                raise NotFoundError(f"no object {key!r}") from None


def _etag(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _check(data: bytes, etag: str) -> None:
    if _etag(data) != etag:
        raise ConflictError("the object has another ETag")
