"""The push journal in object storage: drops batches and posts that name a person."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import orjson

from ingestion.engagement.counted_events import CountedEvents
from ingestion.engagement.push_journal import Push, PushJournal
from ingestion.erasure import Finding, Subject


@dataclass(frozen=True, slots=True)
class JournalStore:
    """The latest pushes of features. Later pushes replace them, which may be long after."""

    journal: PushJournal
    counted: CountedEvents
    name: str = "push journal"

    def erase(self, people: Sequence[Subject]) -> None:
        """Drop what names the people, unless a push is going on; then the next pass does."""
        if self.counted.pending():
            return
        named = _named(people)
        for number in list(self.journal.numbers()):
            push = self.journal.read(number)
            kept = _without(push, named)
            if _size(kept) < _size(push):
                self.journal.replace(number, kept)

    def find(self, person: Subject) -> Iterator[Finding]:
        """Batches and posts that name the person."""
        named = _named([person])
        pushes = map(self.journal.read, list(self.journal.numbers()))
        if count := sum(_size(push) - _size(_without(push, named)) for push in pushes):
            yield Finding("batches", count)


def _without(push: Push, named: re.Pattern[bytes]) -> Push:
    return Push(
        [batch for batch in push.batches if not named.search(batch.encode(with_events=True))],
        [post for post in push.posts if not named.search(orjson.dumps(post))],
    )


def _size(push: Push) -> int:
    return len(push.batches) + len(push.posts)


def _named(people: Sequence[Subject]) -> re.Pattern[bytes]:
    words = "|".join(str(person.user_id) for person in people)
    return re.compile(rf"(?<![0-9])(?:{words})(?![0-9])".encode())
