"""The objects of a photo: the private original and the public variants."""

from collections.abc import Sequence
from dataclasses import dataclass

from ingestion.photos.rejection import PhotoRejected
from ingestion.photos.variants import Variant
from photofeed.errors import NotFoundError
from photofeed.object_store import ObjectStore

# A variant's name is its content's hash, so what is under a name never changes.
IMMUTABLE = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class PhotoStorage:
    """Reads originals, writes variants; writing again writes the same."""

    objects: ObjectStore
    originals: str
    variants: str

    def original(self, key: str) -> bytes:
        """The uploaded file.

        Raises:
            PhotoRejected: `empty`, where it is no longer there.
        """
        try:
            return self.objects.get(self.originals, key)
        except NotFoundError as error:
            raise PhotoRejected("empty", "The uploaded file is no longer there. Please upload it again.") from error

    def store(self, variants: Sequence[Variant]) -> None:
        """Write each distinct file once."""
        for key, variant in {variant.key: variant for variant in variants}.items():
            self.objects.put(self.variants, key, variant.data, variant.media_type, cache_control=IMMUTABLE)
