"""The objects of a photo: its private original and its public variants."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from ingestion.photos.rejection import PhotoRejected
from ingestion.photos.variants import Variant
from photofeed.cache_control import IMMUTABLE
from photofeed.errors import ConflictError, NotFoundError
from photofeed.object_store import ObjectStore

_CHANGED = "The uploaded file has changed since it was completed. Please upload it again."


@dataclass(frozen=True, slots=True)
class Original:
    """Where a completed upload is, and how to recognise it.

    `etag` is that of the object when the upload was completed. `sha256` (hexadecimal) is that of the bytes which were
    processed and moderated; it is None until then. Both are None for uploads from before they were recorded.
    """

    key: str
    etag: str | None
    sha256: str | None


@dataclass(frozen=True, slots=True)
class PhotoStorage:
    """Reads originals and writes variants. Repeating a write changes nothing."""

    objects: ObjectStore
    originals: str
    variants: str

    def original(self, original: Original) -> bytes:
        """The uploaded file, with the ETag and digest that were recorded.

        Raises:
            PhotoRejected: `empty` if it no longer exists; `damaged` if it is another file.
        """
        try:
            data = self.objects.get(self.originals, original.key, etag=original.etag)
        except NotFoundError as error:
            raise PhotoRejected("empty", "The uploaded file no longer exists. Please upload it again.") from error
        except ConflictError as error:
            raise PhotoRejected("damaged", _CHANGED) from error
        if original.sha256 is not None and digest(data) != original.sha256:
            raise PhotoRejected("damaged", _CHANGED)
        return data

    def store(self, variants: Sequence[Variant]) -> None:
        """Write each distinct file once."""
        for key, variant in {variant.key: variant for variant in variants}.items():
            self.objects.put(self.variants, key, variant.data, variant.media_type, cache_control=IMMUTABLE)


def digest(data: bytes) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()
