"""The push journal: what the latest pushes to history contained, one object each.

A push to history takes several writes, and the messages are committed after them. The journal is written before, in one
write. If Redis and the worker are lost in between, nothing else would tell which events' rows history already has.
Journals are kept for a while, so that Redis can be repaired if it comes back without its last writes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

import orjson

from ingestion.engagement.counted_events import FencedError, PendingBatch
from photofeed.errors import NotFoundError
from photofeed.object_store import ObjectStore

KEPT = 1_800  # an hour of pushes, if one begins every two seconds
_FOLDER, _PARTITIONS, _SUFFIX = "features-push/", "features-push-of/", ".jsonl"
_FORMER_KEY = "features-push.jsonl"  # the only object, in releases before there were several


@dataclass(frozen=True, slots=True)
class Push:
    """What one push contained: batches of events, and payloads of posts that became ready."""

    batches: Sequence[PendingBatch] = ()
    posts: Sequence[Mapping[str, Any]] = ()

    def encode(self) -> bytes:
        """A line of JSON for each batch, and one for the posts."""
        posts = [orjson.dumps({"posts": list(self.posts)})] if self.posts else []
        return b"\n".join([*(batch.encode(with_events=True) for batch in self.batches), *posts])

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """What `encode` wrote."""
        lines = data.splitlines()
        batches = [PendingBatch.decode(line) for line in lines if line.startswith(b"[")]
        return cls(batches, [post for line in lines if line.startswith(b"{") for post in orjson.loads(line)["posts"]])


class PushJournal(Protocol):
    """Keeps the latest pushes where losing Redis does not lose them."""

    @property
    def newest(self) -> int:
        """The number of the newest push; 0 if there is none."""

    def write(self, push: Push) -> int:
        """Add a push; returns its number.

        Raises:
            RetryableError: it could not be written.
            FencedError: another worker has written a push of this number.
        """

    def last(self) -> Push:
        """The push written last; empty if none was ever written.

        Raises:
            RetryableError: the journal cannot be reached.
        """

    def after(self, number: int) -> list[Push] | None:
        """The pushes after this one; None if some of them are not kept any more.

        Raises:
            RetryableError: the journal cannot be reached.
        """

    def numbers(self) -> Iterator[int]:
        """The numbers of all pushes that are kept."""

    def read(self, number: int) -> Push:
        """A push that is kept.

        Raises:
            NotFoundError: it is not kept any more.
        """

    def replace(self, number: int, push: Push) -> None:
        """Replace a push, to drop parts of it."""


@dataclass(slots=True)
class StoredPushJournal:
    """An object per push in the bucket of the lake, which also holds the history."""

    objects: ObjectStore
    bucket: str
    partition: int | None = None  # of the features worker, if it counts each by itself
    _newest: int | None = field(default=None)

    @property
    def newest(self) -> int:
        """The newest number; the objects are listed once."""
        if self._newest is None:
            self._newest = max(self.numbers(), default=0)
        return self._newest

    def write(self, push: Push) -> int:
        """Put an object, and delete the one that is too old."""
        number = self.newest + 1
        if not self.objects.put_new(self.bucket, self._key(number), push.encode(), "application/jsonl"):
            raise FencedError("another features worker writes the push journal")
        self._newest = number
        if number > KEPT:
            self.objects.delete(self.bucket, self._key(number - KEPT))
        return number

    def last(self) -> Push:
        """Read the newest object, if there is one."""
        try:
            return self.read(self.newest) if self.newest else Push.decode(self.objects.get(self.bucket, _FORMER_KEY))
        except NotFoundError:
            return Push()

    def after(self, number: int) -> list[Push] | None:
        """Read the objects with greater numbers."""
        try:
            return [self.read(later) for later in range(number + 1, self.newest + 1)]
        except NotFoundError:
            return None

    def numbers(self) -> Iterator[int]:
        """The numbers in the keys of all objects."""
        for key in self.objects.keys(self.bucket, self._folder):
            yield int(key.removeprefix(self._folder).removesuffix(_SUFFIX))

    def read(self, number: int) -> Push:
        """Read an object."""
        return Push.decode(self.objects.get(self.bucket, self._key(number)))

    def replace(self, number: int, push: Push) -> None:
        """Put an object again."""
        self.objects.put(self.bucket, self._key(number), push.encode(), "application/jsonl")

    @property
    def _folder(self) -> str:
        return _FOLDER if self.partition is None else f"{_PARTITIONS}{self.partition}/"

    def _key(self, number: int) -> str:
        return f"{self._folder}{number:020d}{_SUFFIX}"
