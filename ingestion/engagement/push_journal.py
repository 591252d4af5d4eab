"""What is on its way into history, and whose events that are: written first, as one object, at once or not at all.

History takes several writes, and the messages are committed after them. Should Redis be lost just then, and the worker
with it, nothing else would tell the rows that history has from those that it is to get when the messages come again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ingestion.engagement.counted_events import Decided
from photofeed.errors import NotFoundError
from photofeed.object_store import ObjectStore

_KEY = "features-push.jsonl"


class PushJournal(Protocol):
    """The memory of the last push; it outlives Redis."""

    def write(self, batches: Sequence[Decided]) -> None:
        """Keep these in place of what was kept before.

        Raises:
            RetryableError: they could not be kept.
        """

    def last(self) -> list[Decided]:
        """What was kept last; nothing if there never was anything.

        Raises:
            RetryableError: it cannot be reached.
        """


@dataclass(frozen=True, slots=True)
class StoredPushJournal:
    """One object beside the history itself."""

    objects: ObjectStore
    bucket: str

    def write(self, batches: Sequence[Decided]) -> None:
        """Write the object anew."""
        lines = b"\n".join(batch.encode() for batch in batches)
        self.objects.put(self.bucket, _KEY, lines, "application/jsonl")

    def last(self) -> list[Decided]:
        """Read the object, if it is there."""
        try:
            return [Decided.decode(line) for line in self.objects.get(self.bucket, _KEY).splitlines()]
        except NotFoundError:
            return []
