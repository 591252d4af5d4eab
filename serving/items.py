"""Items of other systems: adds and changes them in bulk. An item that did not change writes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from photofeed.database import AsyncDatabase, write_outbox
from photofeed.ids import IdGenerator, topic_id
from photofeed.publication import description
from serving.external_ids import ITEM, PERSON, add, find

MOST_ITEMS = 500  # of one call

_ADD = """
insert into posts (id, author_id, caption, tags, topic, topic_id, content_type, posted_at, words)
values (%(id)s, %(creator)s, %(title)s, %(tags)s, %(topic)s, %(topic_id)s, 'item', %(created_at)s,
        post_words(%(words)s))
returning *
"""
_CLAIM = """
insert into external_ids (kind, external_id, post_id, described_at, available)
values ('item', %(external_id)s, %(id)s, now(), %(available)s)
on conflict do nothing
"""
_CHANGE = """
update posts set author_id = %(creator)s, caption = %(title)s, tags = %(tags)s, topic = %(topic)s,
    topic_id = %(topic_id)s, posted_at = coalesce(%(stated_at)s, posted_at), words = post_words(%(words)s)
where id = %(id)s and (author_id, caption, tags, topic, posted_at)
    is distinct from (%(creator)s, %(title)s, %(tags)s, %(topic)s, coalesce(%(stated_at)s, posted_at))
returning *
"""
_DESCRIBE = """
update external_ids new set described_at = now(), available = %(available)s
from external_ids old
where new.kind = 'item' and new.external_id = %(external_id)s
    and old.kind = new.kind and old.external_id = new.external_id
    and (old.described_at is null or old.available <> %(available)s)
returning old.described_at is null as is_new
"""


@dataclass(frozen=True, slots=True)
class ItemDescription:
    """An item as its service describes it; `stated_at` is when it was created, None if the service does not say."""

    external_id: str
    title: str
    tags: Sequence[str]
    creator: str | None
    stated_at: datetime | None
    available: bool


@dataclass(slots=True)
class ItemsOutcome:
    """Counts of one call, and for each refused item its index, external id, code and reason."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: list[tuple[int, str, str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Items:
    """Writes items, and the messages about those that changed, in one transaction."""

    database: AsyncDatabase
    ids: IdGenerator

    async def put(self, described: Sequence[tuple[int, ItemDescription]], now: datetime) -> ItemsOutcome:
        """Add the items that are new, and change the others. The numbers are indices in the call.

        Creators are added at their first use. An item of a creator who deleted their account is refused.
        """
        outcome = ItemsOutcome()
        async with self.database.connection() as connection:
            creators = {one.creator for _, one in described if one.creator is not None}
            people = await add(connection, self.ids, PERSON, creators) if creators else {}
            known = await find(connection, ITEM, [one.external_id for _, one in described])
            changed = []
            # in the order of the ids, so that no two calls deadlock
            for index, one in sorted(described, key=lambda numbered: numbered[1].external_id):
                if one.creator is not None and one.creator not in people:
                    refusal = "creator_erased", "The creator has deleted their account."
                    outcome.refused.append((index, one.external_id, *refusal))
                    continue
                values = _values(one, people, now, known.get(one.external_id) or self._id_of(one))
                changed += await _put(connection, values, outcome)
            await write_outbox(connection, [description(row) for row in changed])
        outcome.refused.sort()
        return outcome

    def _id_of(self, item: ItemDescription) -> int:
        return self.ids.at(item.stated_at) if item.stated_at else self.ids.next()


async def _put(connection: AsyncConnection[DictRow], values: dict[str, Any], outcome: ItemsOutcome) -> list[DictRow]:
    """Write one item, and count what became of it; returns its row if its content changed."""
    if (await connection.execute(_CLAIM, values)).rowcount:
        outcome.created += 1
        return await (await connection.execute(_ADD, values)).fetchall()
    # another call may have added it since the look-up
    values["id"] = (await find(connection, ITEM, [values["external_id"]]))[values["external_id"]]
    described = await (await connection.execute(_DESCRIBE, values)).fetchone()
    rows = await (await connection.execute(_CHANGE, values)).fetchall()
    if described is not None and described["is_new"]:  # rankings or events have named it before
        outcome.created += 1
        return rows or await (await connection.execute("select * from posts where id = %(id)s", values)).fetchall()
    if rows or described is not None:
        outcome.updated += 1
    else:
        outcome.unchanged += 1
    return rows


def _values(item: ItemDescription, people: dict[str, int], now: datetime, item_id: int) -> dict[str, Any]:
    topic = item.tags[0] if item.tags else ""
    return {
        "id": item_id,
        "external_id": item.external_id,
        "creator": people[item.creator] if item.creator is not None else None,
        "title": item.title,
        "tags": list(item.tags),
        "topic": topic,
        "topic_id": topic_id(topic),
        "created_at": item.stated_at or now,
        "stated_at": item.stated_at,
        "words": " ".join([item.title, *item.tags]),
        "available": item.available,
    }
