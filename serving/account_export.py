"""What is stored about a person, as a ZIP archive of NDJSON files: one file per table of PostgreSQL, and Redis."""

import json
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

from psycopg import AsyncConnection, sql
from psycopg.rows import DictRow

from photofeed.explore_pools import liked_key
from photofeed.ids import encode_id
from photofeed.timelines import hidden_key, seen_key
from photofeed.turned_away import SkippedPost, skipped_key, unfollowed_key
from serving.services import Services

ADDRESS_SECONDS = 24 * 3600  # how long the addresses of originals are valid
MOST_ROWS = 1_000_000
_IN_MEMORY_BYTES, _CHUNK_BYTES, _BATCH = 8 * 2**20, 2**16, 1_000

# Columns that name the person who did or owns something. Rows in which the person is only the object of what somebody
# else did, such as who blocked them, are about that other person and are left out; followers are visible in the API.
OWN_COLUMNS = frozenset(
    {"id", "user_id", "owner_id", "author_id", "follower_id", "followee_id", "blocker_id", "muter_id"}
)
_NOT_SHOWN = frozenset({"secret", "refresh_token", "words"})
_REFERENCES = """
select c.conrelid::regclass::text as table_name, a.attname as column_name
from pg_constraint c join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
where c.contype = 'f' and c.confrelid = 'users'::regclass
union values ('users', 'id')
order by 1, 2
"""
_METADATA = """
select m.* from photo_metadata m join photos p on p.id = m.photo_id where p.owner_id = %s order by m.photo_id
"""
_README = """Everything photofeed stores about you in its database and its memory, one JSON object per line.

users.ndjson      your account
photos.ndjson     your photos; originals.ndjson has an address for each file you uploaded, valid for 24 hours
posts.ndjson      what you posted; photo_metadata.ndjson what was read from the files
memory.ndjson     what was shown to you lately, what you hid, and what you liked lately
other files       named after what they list: comments, likes, saves, follows, ...

Ids are the numbers that photofeed uses inside. Which posts you were shown and opened is kept as events and features:
the operator has them with `photofeed erasure export`.
"""


@dataclass(frozen=True, slots=True)
class Archive:
    """A finished archive; it is deleted after it was read."""

    file: IO[bytes]
    size: int

    def chunks(self) -> Iterator[bytes]:
        """The bytes of the archive, once."""
        with self.file:
            self.file.seek(0)
            while chunk := self.file.read(_CHUNK_BYTES):
                yield chunk


async def make_archive(services: Services, user_id: int) -> Archive:
    """The archive of a person. It is written to a file first, so that a slow client holds no database connection."""
    file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115  Archive closes it
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("README.txt", _README)
        async with services.database.connection() as connection:
            await _write_tables(archive, connection, user_id)
            await _write_originals(archive, connection, services, user_id)
        _write(archive, "memory", await _memory(services, user_id))
    return Archive(file, file.tell())


async def _write_tables(archive: zipfile.ZipFile, connection: AsyncConnection[DictRow], user_id: int) -> None:
    columns: dict[str, list[str]] = {}
    for row in await (await connection.execute(_REFERENCES)).fetchall():
        if row["column_name"] in OWN_COLUMNS:
            columns.setdefault(row["table_name"], []).append(row["column_name"])
    left = MOST_ROWS
    for table, names in columns.items():
        condition = sql.SQL(" or ").join(sql.SQL("{} = %(user)s").format(sql.Identifier(name)) for name in names)
        query = sql.SQL("select * from {} where ").format(sql.Identifier(*table.split("."))) + condition
        left -= await _write_query(archive, connection, table, query, {"user": user_id}, left)
    await _write_query(archive, connection, "photo_metadata", sql.SQL(_METADATA), (user_id,), left)


async def _write_query(
    archive: zipfile.ZipFile,
    connection: AsyncConnection[DictRow],
    name: str,
    query: sql.SQL | sql.Composed,
    values: Any,
    most: int,
) -> int:
    """Write at most `most` rows of a query to a file of the archive; returns how many."""
    written = 0
    async with connection.cursor(name="export") as cursor:
        await cursor.execute(query, values)
        with archive.open(f"{name}.ndjson", "w") as file:
            while written < most and (rows := await cursor.fetchmany(min(_BATCH, most - written))):
                file.write(b"".join(map(_line, rows)))
                written += len(rows)
    return written


async def _write_originals(
    archive: zipfile.ZipFile, connection: AsyncConnection[DictRow], services: Services, user_id: int
) -> None:
    bucket = services.settings.bucket_originals
    found = await connection.execute(
        "select id, original_key from photos where owner_id = %s and completed_at is not null order by id", (user_id,)
    )
    sign = services.objects.presign_get
    rows = [
        {"photoId": encode_id(row["id"]), "url": sign(bucket, row["original_key"], ADDRESS_SECONDS)}
        for row in await found.fetchall()
    ]
    _write(archive, "originals", rows)


async def _memory(services: Services, user_id: int) -> list[Mapping[str, Any]]:
    redis = services.redis
    seen = await redis.zrange(seen_key(user_id), 0, -1, withscores=True)
    hidden = await redis.smembers(hidden_key(user_id))
    liked = await redis.zrange(liked_key(user_id), 0, -1, withscores=True)
    skipped = await redis.zrange(skipped_key(user_id), 0, -1, withscores=True)
    unfollowed = await redis.zrange(unfollowed_key(user_id), 0, -1, withscores=True)
    return [
        *({"kind": "seen", "postId": encode_id(int(post)), "seconds": moment} for post, moment in seen),
        *({"kind": "hidden", "postId": encode_id(int(post))} for post in hidden),
        *({"kind": "liked", "postId": encode_id(int.from_bytes(member[:8])), "seconds": at} for member, at in liked),
        *(
            {"kind": "skipped", "postId": encode_id(SkippedPost.of(member).post_id), "seconds": at}
            for member, at in skipped
        ),
        *({"kind": "unfollowed", "userId": encode_id(int(author)), "seconds": at} for author, at in unfollowed),
    ]


def _write(archive: zipfile.ZipFile, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    archive.writestr(f"{name}.ndjson", b"".join(map(_line, rows)))


def _line(row: Mapping[str, Any]) -> bytes:
    shown = {name: value for name, value in row.items() if name not in _NOT_SHOWN}
    return json.dumps(shown, default=str, ensure_ascii=False).encode() + b"\n"
