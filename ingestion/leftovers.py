"""The proof of deletion: what is left of photos that were removed, wherever photos leave anything."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from psycopg import sql
from psycopg.rows import DictRow

from ingestion.removal import unshared
from photofeed.cdn import PurgeCdn
from photofeed.database import Database
from photofeed.errors import ConflictError, NotFoundError
from photofeed.ids import encode_id
from photofeed.object_store import ObjectStore
from photofeed.posts import PostRef
from photofeed.settings import Settings
from photofeed.timelines import RedisClient, entries_of

_BATCH = 500
_REMOVED = "select * from removed_photos where photo_id > %s order by photo_id limit %s"
_REMOVED_ONE = "select * from removed_photos where photo_id = %s"
# Every table that says of its rows which photo they are about, those of later migrations too.
_TABLES = """
select table_name, column_name from information_schema.columns
where table_schema = 'public' and column_name in ('photo_id', 'post_id') and table_name <> all(%s)
union values ('photos', 'id'), ('posts', 'id')
order by 1
"""
# What outlives a photo on purpose: the list of removed ones, and the audit of decisions about them.
_KEPT_TABLES = ["removed_photos", "moderation_decisions"]


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something of a removed photo that still exists: `place` is the kind, `name` says which."""

    photo_id: int
    place: str
    name: str

    def __str__(self) -> str:
        return f"{encode_id(self.photo_id)}\t{self.place}\t{self.name}"


@dataclass(slots=True)
class Leftovers:
    """Looks for leftovers in object storage, PostgreSQL, Redis and, where there is one, the CDN."""

    settings: Settings
    database: Database
    objects: ObjectStore
    redis: RedisClient
    cdn: PurgeCdn

    def of_all(self) -> Iterator[Leftover]:
        """What is left of any photo ever removed."""
        last = 0
        while removed := self._rows(_REMOVED, last, _BATCH):
            yield from self._find(removed)
            last = removed[-1]["photo_id"]

    def of(self, photo_id: int) -> Iterator[Leftover]:
        """What is left of one photo.

        Raises:
            ConflictError: the photo was not removed.
            NotFoundError: there never was such a photo.
        """
        removed = self._rows(_REMOVED_ONE, photo_id)
        if not removed:
            if self._rows("select id from photos where id = %s", photo_id):
                raise ConflictError(f"photo {encode_id(photo_id)} was not deleted")
            raise NotFoundError(f"there never was a photo {encode_id(photo_id)}")
        yield from self._find(removed)

    def _find(self, removed: Sequence[DictRow]) -> Iterator[Leftover]:
        return chain(
            self._in_objects(removed), self._in_tables(removed), self._in_timelines(removed), self._in_cdn(removed)
        )

    def _in_objects(self, removed: Sequence[DictRow]) -> Iterator[Leftover]:
        settings = self.settings
        for row in removed:
            if self._exists(settings.bucket_originals, row["original_key"]):
                yield Leftover(row["photo_id"], "original", row["original_key"])
            for key in unshared(self.database, row["variant_keys"]):
                if self._exists(settings.bucket_variants, key):
                    yield Leftover(row["photo_id"], "variant", key)

    def _in_tables(self, removed: Sequence[DictRow]) -> Iterator[Leftover]:
        ids = [row["photo_id"] for row in removed]
        for row in self._rows(_TABLES, _KEPT_TABLES):
            table, column = row["table_name"], row["column_name"]
            query = sql.SQL(
                "select {column} as photo_id, count(*) as rows from {table} where {column} = any(%s) group by 1"
            )
            with self.database.connection() as connection:
                found = connection.execute(
                    query.format(column=sql.Identifier(column), table=sql.Identifier(table)), (ids,)
                ).fetchall()
            yield from (Leftover(one["photo_id"], "row", f"{table} ({one['rows']})") for one in found)

    def _in_timelines(self, removed: Sequence[DictRow]) -> Iterator[Leftover]:
        posts = [
            PostRef(row["photo_id"], row["owner_id"], row["topic_id"], int(row["posted_at"].timestamp() * 1000))
            for row in removed
            if row["posted_at"] is not None
        ]
        return (Leftover(post.post_id, "timeline", key) for key, post in entries_of(self.redis, posts))

    def _in_cdn(self, removed: Sequence[DictRow]) -> Iterator[Leftover]:
        for row in removed:
            yield from (Leftover(row["photo_id"], "cdn", name) for name in self.cdn.copies(row["photo_id"]))

    def _exists(self, bucket: str, key: str) -> bool:
        try:
            self.objects.head(bucket, key)
        except NotFoundError:
            return False
        return True

    def _rows(self, query: str, *parameters: object) -> list[DictRow]:
        with self.database.connection() as connection:
            return connection.execute(query.encode(), parameters).fetchall()
