"""External ids: what another system calls a person or an item. Unknown ones are added when they are first named."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from photofeed.database import AsyncDatabase
from photofeed.erasures import EXTERNAL
from photofeed.ids import IdGenerator, topic_id

PERSON, ITEM = "person", "item"
MOST_CHARACTERS = 200

_FIND = """
select external_id, coalesce(user_id, post_id) as id from external_ids where kind = %s and external_id = any(%s)
"""
# In the order of the ids, so that no two calls deadlock. The id of a person who was deleted is not taken again.
_CLAIM_PEOPLE = f"""
insert into external_ids (kind, external_id, user_id)
select '{PERSON}', name, id from unnest(%(names)s::text[], %(ids)s::bigint[]) as n(name, id)
where not exists (
    select from erased_identities where digest = sha256(convert_to('{EXTERNAL}' || E'\\n' || name, 'UTF8')))
order by name on conflict do nothing returning user_id as id
"""  # noqa: S608  constants
_CLAIM_ITEMS = f"""
insert into external_ids (kind, external_id, post_id)
select '{ITEM}', name, id from unnest(%(names)s::text[], %(ids)s::bigint[]) as n(name, id)
order by name on conflict do nothing returning post_id as id
"""  # noqa: S608  constants
_ADD_PEOPLE = """
insert into users (id, handle, display_name, created_at)
select id, 'ext_' || to_hex(id), 'ext_' || to_hex(id), %(now)s from unnest(%(ids)s::bigint[]) id
"""
_ADD_ITEMS = """
insert into posts (id, topic_id, content_type, posted_at)
select id, %(topic)s, 'item', %(now)s from unnest(%(ids)s::bigint[]) id
"""


@dataclass(frozen=True, slots=True)
class ExternalIds:
    """Maps external ids to ids of people and items."""

    database: AsyncDatabase
    ids: IdGenerator

    async def people(self, names: Collection[str]) -> dict[str, int]:
        """The people of external ids; unknown people are added. Who deleted their account is left out."""
        return await self._known_or_new(PERSON, names)

    async def items(self, names: Collection[str]) -> dict[str, int]:
        """The items of external ids; unknown items are added, without a description."""
        return await self._known_or_new(ITEM, names)

    async def _known_or_new(self, kind: str, names: Collection[str]) -> dict[str, int]:
        if not names:
            return {}
        async with self.database.connection() as connection:
            known = await find(connection, kind, names)
            return known if len(known) == len(set(names)) else await add(connection, self.ids, kind, names)


async def find(connection: AsyncConnection[DictRow], kind: str, names: Collection[str]) -> dict[str, int]:
    """The ids of those external ids that are known."""
    rows = await connection.execute(_FIND, (kind, list(names)))
    return {row["external_id"]: row["id"] async for row in rows}


async def add(
    connection: AsyncConnection[DictRow], ids: IdGenerator, kind: str, names: Collection[str]
) -> dict[str, int]:
    """The ids of external ids, of which unknown ones are added; as `ExternalIds`."""
    known = await find(connection, kind, names)
    new = sorted(set(names) - known.keys())
    claim, fill = (_CLAIM_PEOPLE, _ADD_PEOPLE) if kind == PERSON else (_CLAIM_ITEMS, _ADD_ITEMS)
    claimed = await connection.execute(claim, {"names": new, "ids": [ids.next() for _ in new]})
    added = [row["id"] async for row in claimed]
    await connection.execute(fill, {"ids": added, "now": datetime.now(UTC), "topic": topic_id("")})
    return known | await find(connection, kind, new)  # also those that another call has added meanwhile


async def claim_person(connection: AsyncConnection[DictRow], name: str, user_id: int) -> bool:
    """Give a person an external id; False if another person has it, or one who deleted their account had it."""
    claimed = await connection.execute(_CLAIM_PEOPLE, {"names": [name], "ids": [user_id]})
    return bool(claimed.rowcount)
