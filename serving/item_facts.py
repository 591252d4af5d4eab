"""What rankings know of items and posts before they read features, by external ids and by our own."""

from collections.abc import Collection
from dataclasses import dataclass

from photofeed.ids import topic_id
from serving.external_ids import PERSON, ExternalIds
from serving.reads import Reads, Statement
from serving.visibility import VISIBLE_TO_VIEWER

# The creator's name in reasons is what the service calls them.
_COLUMNS = """
p.id, e.external_id, coalesce(p.author_id, p.id), p.topic_id, p.topic, coalesce(c.external_id, u.handle, ''),
p.content_type = 'reel', coalesce(m.phash, 0), e.described_at is not null or p.content_type <> 'item',
exists (select from follows f where f.follower_id = %(viewer)s and f.followee_id = p.author_id)
"""
_JOINS = """
left join users u on u.id = p.author_id left join external_ids c on c.user_id = p.author_id
left join photo_metadata m on m.photo_id = p.id
"""
_FACTS = Statement.of(f"""
select {_COLUMNS} from external_ids e join posts p on p.id = e.post_id {_JOINS}
where e.kind = 'item' and e.external_id = any(%(names)s::text[])
union all
select {_COLUMNS} from posts p left join external_ids e on e.post_id = p.id {_JOINS}
where p.id = any(%(ids)s::bigint[]) and (p.content_type = 'item' or ({VISIBLE_TO_VIEWER}))
""")  # noqa: S608  constants
_PERSON = Statement.of(
    f"select user_id from external_ids where kind = '{PERSON}' and external_id = %(name)s"  # noqa: S608  a constant
)

_NAMES = Statement.of("select post_id, external_id from external_ids where post_id = any(%(ids)s::bigint[])")


@dataclass(frozen=True, slots=True)
class ItemFacts:
    """An item or post. `creator` is what a service or we call its author; empty without one."""

    id: int
    external_id: str | None
    author_id: int
    topic_id: int
    topic: str = ""
    creator: str = ""
    is_reel: bool = False
    perceptual_hash: int = 0
    is_described: bool = True
    is_followed: bool = False


@dataclass(frozen=True, slots=True)
class FoundItems:
    """Facts by external id, and by our own."""

    by_name: dict[str, ItemFacts]
    by_id: dict[int, ItemFacts]


@dataclass(frozen=True, slots=True)
class ItemReader:
    """Looks up people and items, most of which are known, and adds those that are new."""

    reads: Reads
    external_ids: ExternalIds

    async def person(self, name: str) -> int | None:
        """The person of an external id, who is added if new; None if they deleted their account."""
        rows = await self.reads.rows(_PERSON, name=name)
        if rows:
            return int(rows[0][0])
        return (await self.external_ids.people([name])).get(name)

    async def names(self, ids: Collection[int]) -> dict[int, str]:
        """The external ids of those items that have one."""
        return {row[0]: row[1] for row in await self.reads.rows(_NAMES, ids=list(ids))}

    async def items(self, viewer: int, names: Collection[str], ids: Collection[int]) -> FoundItems:
        """All items of the names; those of the ids that exist, and posts that the viewer may see."""
        rows = await self.reads.rows(_FACTS, viewer=viewer, names=list(names), ids=list(ids))
        facts = [ItemFacts(*row) for row in rows]
        by_name = {one.external_id: one for one in facts if one.external_id is not None}
        new = [name for name in names if name not in by_name]
        added = {
            name: ItemFacts(number, name, number, topic_id(""), is_described=False)
            for name, number in (await self.external_ids.items(new)).items()
        }
        return FoundItems(by_name | added, {one.id: one for one in facts})
