"""After the faults: waits until everything has arrived, and compares what was accepted with what is there."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import orjson

from ingestion.verify import Patience
from ingestion.verify.features import Features
from photofeed import database
from photofeed.dead_letters import DeadLetters
from photofeed.errors import PoisonError, UnavailableError
from photofeed.event_log import KafkaGroupOffsets, KafkaReader
from photofeed.events import Envelope, engagement_payloads
from photofeed.feature_store import close_feature_store, load_counter_views, open_feature_store
from photofeed.features.event_columns import EventColumns
from photofeed.ids import decode_id, encode_id
from photofeed.kafka_publisher import KafkaPublisher
from photofeed.online_store.feast_schema import row_schema
from photofeed.online_store.reader import PackedReader
from photofeed.redis_client import connect_redis
from photofeed.settings import Settings
from photofeed.topics import ENGAGEMENT, PURGE_GROUP, SUBSCRIPTIONS
from tools.chaos.faults import POISON
from tools.chaos.ledger import COMMENT, Ledger
from tools.chaos.target import Target

STUCK_SECONDS = 120.0
_UNSETTLED = "select count(*) as n from photos where status = 'processing'"
_COMMENTS = "select body, count(*) as n from comments where body like %s group by body"
_UNPUBLISHED = "select count(*) as n from outbox"
_LINKS = {
    "likes": "select user_id as person, post_id as target from likes",
    "follows": "select follower_id as person, followee_id as target from follows",
}


@dataclass(slots=True)
class LogEvents:
    """The distinct events of the whole log, in memory."""

    columns: EventColumns

    @classmethod
    def read_all(cls, settings: Settings) -> "LogEvents":
        """Read the log to its end."""
        payloads = []
        for message in KafkaReader(settings).read(ENGAGEMENT.name):
            with suppress(PoisonError):
                payloads += engagement_payloads(Envelope.decode(message.value))
        columns = EventColumns.from_payloads(payloads).distinct()
        return cls(columns.take(np.argsort(columns.occurred_us, kind="stable")))

    def count(self) -> int:
        """How many there are."""
        return len(self.columns)

    def read(self, columns: Sequence[str], index: int, passes: int) -> Iterator[EventColumns]:  # noqa: ARG002
        """All at once: there is one pass."""
        yield self.columns


def wrong_comments(ledger: Ledger, times: Mapping[str, int]) -> list[str]:
    """Comments that are lost, or there more than once.

    Args:
        ledger: what was accepted.
        times: text -> how often it is there.
    """
    lost = [text for text, post in ledger.comments.items() if text not in times and post not in ledger.maybe_deleted]
    repeated = [text for text, count in times.items() if count > 1]
    return [f"comment\t{text!r} is there {times.get(text, 0)} times" for text in (*lost, *repeated)]


class VerifyError(Exception):
    """`photofeed verify` failed."""


@dataclass
class Judge:
    """Compares a ledger with a stack that has settled."""

    target: Target
    ledger: Ledger
    violations: list[str] = field(default_factory=list)

    def settle(self) -> None:
        """Wait until nothing is on its way; what has not changed for STUCK_SECONDS is a violation."""
        changed, waiting = time.monotonic(), list(self._waiting())
        while waiting and time.monotonic() < changed + STUCK_SECONDS:
            time.sleep(1)
            before, waiting = waiting, list(self._waiting())
            if waiting != before:
                changed = time.monotonic()
        self.violations += [f"unsettled\t{one}" for one in waiting]

    def _waiting(self) -> Iterator[str]:
        with database.connect(self.target.settings) as connection:
            for query, what in ((_UNSETTLED, "photos are processing"), (_UNPUBLISHED, "messages are in the outbox")):
                row = connection.execute(query.encode()).fetchone()
                if row and row["n"]:
                    yield f"{row['n']} {what}"
        for group in SUBSCRIPTIONS:
            if group == PURGE_GROUP:  # there is no CDN
                continue
            offsets = KafkaGroupOffsets(self.target.settings, group, SUBSCRIPTIONS[group])
            try:
                lag = sum(max(0, end - done) for done, end in offsets.read().values())
            except UnavailableError as error:
                yield f"{group}: {error}"
                continue
            finally:
                offsets.close()
            if lag:
                yield f"{group} has {lag} messages to handle"

    def compare(self) -> None:
        """Every promise but those of figures."""
        self.violations += [f"refused\t{one}" for one in self.ledger.refused]
        self.violations += [f"misunderstood\t{one}" for one in self.ledger.misunderstood]
        self._links()
        self._comments()
        self._deleted()
        self._letters()
        self._verify()

    @cached_property
    def log(self) -> LogEvents:
        """The log as it is now."""
        return LogEvents.read_all(self.target.settings)

    def uploads_settled(self) -> int:
        """How many of the accepted uploads are posts now, or were deleted."""
        with database.connect(self.target.settings) as connection:
            ready = {row["id"] for row in connection.execute("select id from photos where status = 'ready'")}
        settled = 0
        for photo in self.ledger.uploads:
            if decode_id(photo) in ready or photo in self.ledger.maybe_deleted:
                settled += 1
            else:
                self.violations.append(f"upload\t{photo} was accepted and is not ready")
        return settled

    def events_logged(self) -> int:
        """How many of the accepted events are in the log."""
        missing = self.ledger.events - set(self.log.columns.id.tolist())
        self.violations += [f"event\t{one} was accepted and is not in the log" for one in sorted(missing)]
        return len(self.ledger.events) - len(missing)

    def counters_wrong(self) -> int:
        """How many rows of counters are not those of the log, by the function that counts."""
        settings = self.target.settings
        store = open_feature_store(settings)
        try:
            views = load_counter_views(store)
            with connect_redis(settings) as client:
                readers = {
                    view.name: PackedReader(
                        [row_schema(store.get_feature_view(view.name), store.project)], client=client
                    )
                    for view in views
                }
                once = Patience(0)
                check = Features(
                    self.log, views, readers, once, settings.new_account_us, 0, max(self.log.count() * 2, 1)
                )
                wrong = list(replace(check).run())
        finally:
            close_feature_store(store)
        self.violations += [f"counter\t{one}" for one in wrong]
        return len(wrong)

    def _links(self) -> None:
        with database.connect(self.target.settings) as connection:
            there = {
                (table, row["person"], row["target"])
                for table, query in _LINKS.items()
                for row in connection.execute(query.encode())
            }
            gone = {decode_id(photo) for photo in self.ledger.maybe_deleted}
        for link, expected in self.ledger.links.items():
            if expected is not None and link[2] not in gone and (link in there) is not expected:
                table, person, target = link
                told = "is not there" if expected else "is still there"
                self.violations.append(f"{table}\tof {encode_id(person)} and {encode_id(target)} {told}")

    def _comments(self) -> None:
        with database.connect(self.target.settings) as connection:
            rows = connection.execute(_COMMENTS, (f"{COMMENT}%",))
            times = {row["body"]: row["n"] for row in rows}
        self.violations += wrong_comments(self.ledger, times)

    def _deleted(self) -> None:
        ids = [decode_id(photo) for photo in self.ledger.deleted]
        with database.connect(self.target.settings) as connection:
            left = connection.execute("select id from photos where id = any(%s)", (ids,)).fetchall()
        self.violations += [f"deleted\t{encode_id(row['id'])} is still there" for row in left]

    def _letters(self) -> None:
        """Only poison may be a dead letter."""
        publisher = KafkaPublisher(self.target.settings)
        try:
            for letter in DeadLetters(KafkaReader(self.target.settings), publisher).waiting():
                if POISON not in letter.message.value:
                    about = f"{letter.group} {letter.message.topic} {letter.code}: {letter.reason}"
                    self.violations.append(f"dead letter\t{about}")
        finally:
            publisher.close()

    def _verify(self) -> None:
        try:
            found = self.disagreements()
        except VerifyError as error:
            self.violations.append(f"verify\t{error}")
            return
        for one in found:
            if one["check"] != "kafka.dead_letters":  # told apart above
                self.violations.append("verify\t" + "\t".join(one[name] for name in ("check", "subject", "text")))

    def disagreements(self, patience: int = 10) -> list[dict[str, str]]:
        """What `photofeed verify` finds and does not pass within seconds: check, subject and text of each.

        Raises:
            VerifyError: it could not compare everything.
        """
        done = self.target.run("verify", "--json", "--patience", str(patience))
        if done.returncode not in (0, 1):
            raise VerifyError(f"exit code {done.returncode}: {done.stderr}")
        found: list[dict[str, str]] = orjson.loads(done.stdout)["disagreements"]
        return found
