"""Proof of deletion: finds what is left of removed photos in every system that photos are stored in."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain

from psycopg import sql
from psycopg.rows import DictRow

from ingestion.cdn import PurgeCdn
from ingestion.removal import originals_of, unshared
from photofeed.database import Database
from photofeed.errors import ConflictError, NotFoundError
from photofeed.ids import encode_id
from photofeed.object_store import ObjectStore
from photofeed.posts import PostRef
from photofeed.redis_client import RedisClient
from photofeed.settings import Settings
from photofeed.timelines import entries_of

_BATCH = 500
_AT_ONCE = 8  # requests to object storage or the CDN
_REMOVED = "select * from removed_photos where photo_id > %s order by photo_id limit %s"
_REMOVED_ONE = "select * from removed_photos where photo_id = %s"
# Every table with a column that names a photo, including tables of later migrations.
_TABLES = """
select table_name, column_name from information_schema.columns
where table_schema = 'public' and column_name in ('photo_id', 'post_id') and table_name <> all(%s)
union values ('photos', 'id'), ('posts', 'id')
order by 1
"""
# Kept on purpose after removal: the list of removed photos, and the audit log of moderation decisions.
_KEPT_TABLES = ["removed_photos", "moderation_decisions"]


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something of a removed photo that still exists, by its kind and its name within that kind."""

    photo_id: int
    kind: str
    name: str

    def __str__(self) -> str:
        return f"{encode_id(self.photo_id)}\t{self.kind}\t{self.name}"


@dataclass(slots=True)
class Leftovers:
    """Searches object storage, PostgreSQL, Redis and the CDN, if there is one, for leftovers."""

    settings: Settings
    database: Database
    objects: ObjectStore
    redis: RedisClient
    cdn: PurgeCdn

    def of_all(self) -> Iterator[Leftover]:
        """Leftovers of every photo ever removed."""
        for removed in self.batches():
            yield from self.find(removed)

    def batches(self) -> Iterator[list[DictRow]]:
        """All rows of removed_photos, in pieces."""
        last = 0
        while removed := self._rows(_REMOVED, last, _BATCH):
            yield removed
            last = removed[-1]["photo_id"]

    def of(self, photo_id: int) -> Iterator[Leftover]:
        """Leftovers of one photo.

        Raises:
            ConflictError: the photo was not removed.
            NotFoundError: there was never a photo with this id.
        """
        removed = self._rows(_REMOVED_ONE, photo_id)
        if not removed:
            if self._rows("select id from photos where id = %s", photo_id):
                raise ConflictError(f"photo {encode_id(photo_id)} was not deleted")
            raise NotFoundError(f"there was never a photo {encode_id(photo_id)}")
        yield from self.find(removed)

    def find(self, removed: Sequence[DictRow]) -> Iterator[Leftover]:
        """Leftovers of the photos of these rows."""
        return chain(
            self._in_objects(removed), self._in_tables(removed), self._in_timelines(removed), self._in_cdn(removed)
        )

    def _in_objects(self, removed: Sequence[DictRow]) -> Iterator[Leftover]:
        settings = self.settings
        keys = [
            (Leftover(row["photo_id"], kind, key), bucket)
            for row in removed
            for kind, bucket, mine in (
                ("original", settings.bucket_originals, originals_of(row)),
                ("variant", settings.bucket_variants, unshared(self.database, row["variant_keys"])),
            )
            for key in mine
        ]
        with ThreadPoolExecutor(_AT_ONCE) as asked:
            exist = asked.map(lambda key: self._exists(key[1], key[0].name), keys)
            yield from (leftover for (leftover, _), exists in zip(keys, exist, strict=True) if exists)

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
        photos = [row["photo_id"] for row in removed]
        with ThreadPoolExecutor(_AT_ONCE) as asked:
            for photo, copies in zip(photos, asked.map(self.cdn.copies, photos), strict=True):
                yield from (Leftover(photo, "cdn", name) for name in copies)

    def _exists(self, bucket: str, key: str) -> bool:
        try:
            self.objects.head(bucket, key)
        except NotFoundError:
            return False
        return True

    def _rows(self, query: str, *parameters: object) -> list[DictRow]:
        with self.database.connection() as connection:
            return connection.execute(query.encode(), parameters).fetchall()
