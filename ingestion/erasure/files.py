"""Object storage: files of a person that no row of removed_photos records."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ingestion.erasure import Finding, Subject
from photofeed.object_store import ObjectStore
from photofeed.original_keys import UPLOADS, address_expiry, completed_key
from photofeed.settings import Settings


@dataclass(frozen=True, slots=True)
class FileStore:
    """Uploads, originals and exports: every key of the bucket of originals that names the person's id."""

    settings: Settings
    objects: ObjectStore
    name: str = "object storage"

    def erase(self, people: Sequence[Subject]) -> None:
        """Delete the files of the people."""
        for key in self._keys(people):
            self.objects.delete(self.settings.bucket_originals, key)

    def find(self, person: Subject) -> Iterator[Finding]:
        """Files of the person. What is uploaded to an address that is still valid is swept when it expires."""
        expiring = [key for key in self._keys([person]) if key.startswith(UPLOADS)]
        others = [key for key in self._keys([person]) if not key.startswith(UPLOADS)]
        if expiring:
            swept = timedelta(seconds=self.settings.upload_grace_seconds + 2 * self.settings.sweep_seconds)
            ends = max(map(address_expiry, expiring)) + swept
            yield Finding("uploads", len(expiring), until=max(ends, datetime.now(UTC)))
        if others:
            yield Finding("originals", len(others))

    def _keys(self, people: Sequence[Subject]) -> Iterator[str]:
        """Keys under the prefixes of the people, and uploads whose key names them."""
        bucket = self.settings.bucket_originals
        for person in people:
            yield from self.objects.keys(bucket, completed_key(person.user_id, 0).rpartition("/")[0] + "/")
        if people:
            named = re.compile(rf"-(?:{'|'.join(str(person.user_id) for person in people)})-")
            yield from (key for key in self.objects.keys(bucket, UPLOADS) if named.search(key))
