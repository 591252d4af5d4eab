"""Kafka: messages cannot be deleted one by one, so the log forgets a person when the retention of its topics ends."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ingestion.erasure import Finding, Subject
from photofeed.erasures import LOG_FORGETS_AFTER
from photofeed.event_log import EventReader
from photofeed.topics import all_topics


@dataclass(frozen=True, slots=True)
class LogStore:
    """Topics and dead letters. Workers drop messages about erased people, so reading them again restores nothing."""

    reader: EventReader
    name: str = "Kafka"

    def erase(self, people: Sequence[Subject]) -> None:
        """Do nothing: brokers delete messages when their retention ends."""

    def find(self, person: Subject) -> Iterator[Finding]:
        """Messages that name the person, by topic. Reads every message of the log."""
        named = re.compile(rf"(?<![0-9]){person.user_id}(?![0-9])".encode())
        forgotten = person.requested_at + LOG_FORGETS_AFTER
        for topic in all_topics():
            messages = self.reader.read(topic.name)
            count = sum(one.key == str(person.user_id) or bool(named.search(one.value)) for one in messages)
            if count:
                yield Finding(topic.name, count, until=forgotten)
