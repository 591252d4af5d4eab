"""Kafka against the lake, Redis and its own groups: messages that were committed and not handled, or that wait."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

import duckdb
import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from ingestion.consumer.lag import GroupOffsets
from ingestion.engagement.counted_events import EventIds
from ingestion.verify import Disagreement, Patience
from photofeed.dead_letters import count_waiting
from photofeed.erasures import ErasedAmong
from photofeed.errors import PoisonError
from photofeed.event_log import EventReader, Offsets
from photofeed.events import Envelope, engagement_events, engagement_payloads
from photofeed.features.event_columns import EventColumns
from photofeed.offline_store.lake import Lake, LakeFolder
from photofeed.offline_store.quarantine import quarantined
from photofeed.offline_store.tables import ENGAGEMENT, FEED_SERVED
from photofeed.served_page import MESSAGE_TYPE, ServedPage
from photofeed.topics import ARCHIVE_GROUP, FEATURES_GROUP, LONGEST_SEGMENT, SUBSCRIPTIONS
from photofeed.topics import ENGAGEMENT as ENGAGEMENT_TOPIC
from photofeed.topics import FEED_SERVED as SERVED_TOPIC

_AT_ONCE = 10_000
_SHOWN = 1_000  # of one kind
_LOG = pa.schema([("name", pa.string()), ("user_id", pa.int64()), ("creator_id", pa.int64()), ("at", pa.string())])
# How a row of each table is named.
_NAMES = {ENGAGEMENT: "id", FEED_SERVED: "slate_id || ' ' || position"}
_MISSING = f"from logged anti join archived using (name) limit {_SHOWN}"


class KnownEvents(Protocol):
    """Which events have been counted."""

    def known(self, events: EventIds) -> NDArray[np.bool_]:
        """Which of the events have been counted, (n,)."""


@dataclass(slots=True)
class LogInLake:
    """Every event and every served post of the log that the archive has committed is in the lake, or in quarantine."""

    reader: EventReader
    lake: Lake
    bucket: str
    erased: ErasedAmong
    duckdb_config: dict[str, Any]
    name: str = "log"
    compared: int = 0
    notes: list[str] = field(default_factory=list)

    def run(self) -> Iterator[Disagreement]:
        """Engagement, then served posts."""
        yield from self._table(ENGAGEMENT, ENGAGEMENT_TOPIC.name, _events)
        yield from self._table(FEED_SERVED, SERVED_TOPIC.name, _served)

    def _table(self, table: str, topic: str, rows: "Rows") -> Iterator[Disagreement]:
        committed = self.reader.committed(ARCHIVE_GROUP, topic)
        with duckdb.connect(config=self.duckdb_config) as connection:
            connection.register("nothing", _LOG.empty_table())
            connection.execute("create temp table logged as select * from nothing")
            for piece in _pieces(self.reader, topic, committed, rows):
                self.compared += len(piece)
                connection.register("piece", piece)
                connection.execute("insert into logged select * from piece")
            files = [str(file) for file in self.lake.mirror(LakeFolder(self.bucket, table))]
            query = f"create temp table archived as select {_NAMES[table]} as name from {{source}}"  # noqa: S608
            if files:
                parts = connection.read_parquet(files, hive_partitioning=False, union_by_name=True)
                connection.register("parts", parts)
                connection.execute(query.format(source="parts"))
            else:
                connection.execute("create temp table archived as select name from nothing")
            missing = connection.sql(_MISSING).to_arrow_table().to_pylist()
        yield from self._not_in_lake(table, missing)

    def _not_in_lake(self, table: str, missing: Sequence[Mapping[str, Any]]) -> Iterator[Disagreement]:
        gone = self.erased({row[name] for row in missing for name in ("user_id", "creator_id")})
        aside = self._quarantined(table) if missing else set()
        for row in missing:
            if row["name"] not in aside and not gone & {row["user_id"], row["creator_id"]}:
                yield Disagreement(
                    f"lake.{table}",
                    row["name"],
                    f"the log has it at {row['at']}, the archive has committed it, and the lake does not have it",
                    "photofeed dlq replay --group archive, if it is there; else set the group's offset back to it",
                )

    def _quarantined(self, table: str) -> set[str]:
        since = datetime.now(UTC) - ENGAGEMENT_TOPIC.retention - LONGEST_SEGMENT
        rows = quarantined(self.lake, self.bucket, since).to_pylist()
        contents = [orjson.loads(row["row"]) for row in rows if row["table"] == table]
        if table == ENGAGEMENT:
            return {str(row["id"]) for row in contents}
        return {f"{row['slate_id']} {row['position']}" for row in contents}


Rows = Callable[[Envelope, str], list[dict[str, Any]]]


def _pieces(reader: EventReader, topic: str, committed: Offsets, rows: Rows) -> Iterator[pa.Table]:
    """The rows that the committed messages of a topic stand for."""
    piece: list[dict[str, Any]] = []
    for message in reader.read(topic) if committed else ():
        if message.offset >= committed.get((message.topic, message.partition), 0):
            continue
        if message.group not in (None, ARCHIVE_GROUP):
            continue
        with suppress(PoisonError):  # it became a dead letter, which another check tells
            piece += rows(Envelope.decode(message.value), f"{topic}/{message.partition}/{message.offset}")
        if len(piece) >= _AT_ONCE:
            yield pa.Table.from_pylist(piece, schema=_LOG)
            piece = []
    if piece:
        yield pa.Table.from_pylist(piece, schema=_LOG)


def _events(envelope: Envelope, at: str) -> list[dict[str, Any]]:
    if envelope.type != "engagement":
        return []
    return [
        {"name": one.id, "user_id": one.user_id, "creator_id": one.creator_id, "at": at}
        for one in engagement_events(envelope)
    ]


def _served(envelope: Envelope, at: str) -> list[dict[str, Any]]:
    if envelope.type != MESSAGE_TYPE:
        return []
    page = ServedPage.from_envelope(envelope)
    return [
        {
            "name": f"{page.slate_id} {item.position}",
            "user_id": page.user_id,
            "creator_id": item.creator_id,
            "at": at,
        }
        for item in page.items
    ]


@dataclass(slots=True)
class LogCounted:
    """Every event of the log that the features worker has committed is remembered as counted."""

    reader: EventReader
    counted: KnownEvents
    erased: ErasedAmong
    name: str = "counted"
    compared: int = 0
    notes: list[str] = field(default_factory=list)

    def run(self) -> Iterator[Disagreement]:
        """In the order of the log."""
        topic = ENGAGEMENT_TOPIC.name
        committed, shown = self.reader.committed(FEATURES_GROUP, topic), 0
        for events in self._committed_events(topic, committed):
            self.compared += len(events)
            missing = events.take(~self.counted.known(events))
            gone = self.erased({*missing.user_id.tolist(), *missing.creator_id.tolist()}) if len(missing) else set()
            for name, user, creator in zip(missing.id, missing.user_id, missing.creator_id, strict=True):
                if gone & {int(user), int(creator)}:
                    continue
                shown += 1
                if shown > _SHOWN:
                    self.notes.append(f"more than {_SHOWN} events are not counted: the others are not listed")
                    return
                yield Disagreement(
                    "redis.uncounted_event",
                    str(name),
                    "the features worker has committed it, and Redis does not have it as counted",
                    "photofeed dlq replay --group features, if it is there; else stop the features worker, run "
                    "`photofeed features rebuild`, and start it again",
                )

    def _committed_events(self, topic: str, committed: Offsets) -> Iterator[EventColumns]:
        payloads: list[Mapping[str, Any]] = []
        for message in self.reader.read(topic) if committed else ():
            if message.offset >= committed.get((message.topic, message.partition), 0):
                continue
            if message.group not in (None, FEATURES_GROUP):
                continue
            with suppress(PoisonError):
                found = engagement_payloads(Envelope.decode(message.value))
                EventColumns.from_payloads(found)
                payloads += found
            if len(payloads) >= _AT_ONCE:
                yield EventColumns.from_payloads(payloads).distinct()
                payloads = []
        if payloads:
            yield EventColumns.from_payloads(payloads).distinct()


@dataclass(slots=True)
class Groups:
    """Every group handles what is in the log, and nothing waits as a dead letter."""

    offsets: Callable[[str], GroupOffsets]
    reader: EventReader
    patience: Patience
    idle: frozenset[str] = frozenset()
    name: str = "groups"
    compared: int = 0
    notes: list[str] = field(default_factory=list)

    def run(self) -> Iterator[Disagreement]:
        """Lag by partition, then dead letters by topic."""
        groups = [group for group in SUBSCRIPTIONS if group not in self.idle]
        before = {group: self._offsets(group) for group in groups}
        self.compared += sum(map(len, before.values()))
        behind = [group for group in groups if any(end > done for done, end in before[group].values())]
        if behind:
            self.patience.wait(self.patience.seconds)
        for group in behind:
            for (topic, partition), (done, _) in sorted(self._offsets(group).items()):
                end = before[group].get((topic, partition), (done, done))[1]
                if done < end:
                    yield Disagreement(
                        "kafka.lag",
                        f"{group} {topic}/{partition}",
                        f"{end - done} messages of {self.patience.seconds:g} s ago are not handled",
                        f"see that `photofeed work {group}` runs: docs/runbooks/worker-lag.md",
                    )
        for topic, group, count in count_waiting(self.reader):
            yield Disagreement(
                "kafka.dead_letters",
                f"{group} {topic}",
                f"{count} messages that the group gave up wait",
                f"mend what `photofeed dlq list --group {group}` says, then photofeed dlq replay --group {group}",
            )

    def _offsets(self, group: str) -> Mapping[tuple[str, int], tuple[int, int]]:
        offsets = self.offsets(group)
        try:
            return offsets.read()
        finally:
            offsets.close()
