"""PostgreSQL: deletes a person's rows in short transactions, and corrects the counts of others."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from psycopg import Connection, sql
from psycopg.rows import DictRow

from ingestion.erasure import Finding, Subject
from ingestion.removal import Removal
from photofeed.database import Database, write_outbox_sync
from photofeed.ids import encode_id
from photofeed.publication import PUBLICATION, avatar_removal, withdrawal
from photofeed.settings import Settings

_BATCH = 200

_PHOTOS = "select id, purpose from photos where owner_id = %s order by id limit %s for update"
_DELETE_PHOTOS = "delete from photos where id = any(%s)"
_REMOVED = "select * from removed_photos where owner_id = %s"
_FORGET_PURGED = "delete from removed_photos where owner_id = %s and purged_at is not null"

# The people are locked in the order of their ids, as the API does, so that no two calls deadlock.
_FOLLOWS = """
select follower_id, followee_id from follows where {own} = %(user)s order by {other} limit %(limit)s
"""
_LOCK_PEOPLE = "select from users where id = any(%s) order by id for no key update"
_UNFOLLOW = """
with pairs as (select * from unnest(%s::bigint[], %s::bigint[]) as p(follower, followee)),
removed as (
    delete from follows f using pairs where f.follower_id = follower and f.followee_id = followee
    returning f.follower_id, f.followee_id)
update users set
    follower_count = follower_count - (select count(*) from removed where followee_id = users.id),
    following_count = following_count - (select count(*) from removed where follower_id = users.id)
where id in (select followee_id from removed union select follower_id from removed)
"""

_REACTED = "select post_id from {table} where user_id = %s order by post_id limit %s"
_LOCK_POSTS = "select from posts where id = any(%s) order by id for no key update"
_UNREACT = """
with removed as (delete from {table} where user_id = %s and post_id = any(%s) returning post_id)
update posts set {counter} = {counter} - 1 from removed where id = post_id
"""
_COUNTERS = {"likes": "like_count", "saves": "save_count"}

_COMMENTED = "select distinct post_id from comments where user_id = %s order by post_id limit %s"
# The count of a post does not include comments of people that its author blocked.
_UNCOMMENT = """
with removed as (delete from comments where user_id = %(user)s and post_id = any(%(posts)s) returning post_id),
counted as (
    select post_id, count(*) as n from removed join posts p on p.id = post_id
    where not exists (select 1 from blocks where blocker_id = p.author_id and blocked_id = %(user)s) group by post_id)
update posts set comment_count = comment_count - n from counted where id = post_id
"""
# Bodies of webhooks name people by the API's ids.
_FORGET_WEBHOOKS = "delete from webhook_deliveries where position(%s in body) > 0"
_WEBHOOKS = "select count(*) as n from webhook_deliveries where position(%s in body) > 0"
_DELETE_USER = "delete from users where id = %s"

# Every column that refers to a user, also of tables of later migrations.
_REFERENCES = """
select c.conrelid::regclass::text as table_name, a.attname as column_name
from pg_constraint c join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
where c.contype = 'f' and c.confrelid = 'users'::regclass
union values ('users', 'id')
order by 1, 2
"""
# The tables whose rows outlive a user have no such reference.
_UNSENT = "select count(*) as n from outbox where key = %s"
_DECISIONS = "select count(*) as n from moderation_decisions where by = %s or person_id = %s"


@dataclass(frozen=True, slots=True)
class TableStore:
    """The person's photos, follows, reactions and comments, and then the user, which deletes all other rows."""

    settings: Settings
    database: Database
    removal: Removal
    name: str = "PostgreSQL"

    def erase(self, people: Sequence[Subject]) -> None:
        """Delete the rows of each person. Objects of their photos are deleted as those of any removed photo."""
        for person in people:
            self._repeat(_delete_photos, person.user_id)
            for row in self._rows(_REMOVED, person.user_id):
                self.removal.delete_objects(row)
            self._repeat(_unfollow, person.user_id)
            for table in _COUNTERS:
                self._repeat(partial(_unreact, table), person.user_id)
            self._repeat(_uncomment, person.user_id)
            with self.database.connection() as connection:
                connection.execute(_DELETE_USER, (person.user_id,))
                connection.execute(_FORGET_PURGED, (person.user_id,))
                connection.execute(_FORGET_WEBHOOKS, (encode_id(person.user_id),))

    def find(self, person: Subject) -> Iterator[Finding]:
        """Rows that refer to the person."""
        user = person.user_id
        for row in self._rows(_REFERENCES):
            table, column = row["table_name"], row["column_name"]
            query = sql.SQL("select count(*) as n from {table} where {column} = %s").format(
                table=sql.Identifier(*table.split(".")), column=sql.Identifier(column)
            )
            with self.database.connection() as connection:
                found = connection.execute(query, (user,)).fetchone()
            if found and found["n"]:
                yield Finding(f"{table}.{column}", found["n"])
        if unsent := self._count(_UNSENT, str(user)):
            yield Finding("outbox", unsent)
        if named := self._count(_WEBHOOKS, encode_id(user)):
            yield Finding("webhook_deliveries", named)
        waiting = [row["removed_at"] for row in self._rows(_REMOVED, user)]
        if waiting:
            ends = max(waiting) + timedelta(seconds=2 * self.settings.upload_url_seconds + self.settings.sweep_seconds)
            yield Finding("removed_photos", len(waiting), until=ends)
        if decisions := self._count(_DECISIONS, str(user), user):
            yield Finding("moderation_decisions", decisions, kept="the audit log names people by their id")

    def _repeat(self, step: Callable[[Connection[DictRow], int], int], user_id: int) -> None:
        """Run a step in transactions of its own until nothing is left for it."""
        while True:
            with self.database.connection() as connection:
                if not step(connection, user_id):
                    return

    def _rows(self, query: str, *parameters: Any) -> list[DictRow]:
        with self.database.connection() as connection:
            return connection.execute(query.encode(), parameters).fetchall()

    def _count(self, query: str, *parameters: Any) -> int:
        return int(self._rows(query, *parameters)[0]["n"])


def _delete_photos(connection: Connection[DictRow], user: int) -> int:
    rows = connection.execute(_PHOTOS, (user, _BATCH)).fetchall()
    photos = [row["id"] for row in rows]
    for photo in (row["id"] for row in rows if row["purpose"] == "avatar"):
        write_outbox_sync(connection, avatar_removal(photo))
    for photo in photos:
        publication = connection.execute(PUBLICATION, (photo,)).fetchone()
        if publication is not None:
            write_outbox_sync(connection, withdrawal(publication))
    connection.execute(_DELETE_PHOTOS, (photos,))
    return len(photos)


def _unfollow(connection: Connection[DictRow], user: int) -> int:
    pairs: list[DictRow] = []
    for own, other in (("follower_id", "followee_id"), ("followee_id", "follower_id")):
        query = sql.SQL(_FOLLOWS).format(own=sql.Identifier(own), other=sql.Identifier(other))
        pairs += connection.execute(query, {"user": user, "limit": _BATCH}).fetchall()
    followers, followees = [row["follower_id"] for row in pairs], [row["followee_id"] for row in pairs]
    if pairs:
        connection.execute(_LOCK_PEOPLE, (sorted({*followers, *followees}),))
        connection.execute(_UNFOLLOW, (followers, followees))
    return len(pairs)


def _unreact(table: str, connection: Connection[DictRow], user: int) -> int:
    names = {"table": sql.Identifier(table), "counter": sql.Identifier(_COUNTERS[table])}
    found = connection.execute(sql.SQL(_REACTED).format(**names), (user, _BATCH)).fetchall()
    posts = [row["post_id"] for row in found]
    connection.execute(_LOCK_POSTS, (posts,))
    connection.execute(sql.SQL(_UNREACT).format(**names), (user, posts))
    return len(posts)


def _uncomment(connection: Connection[DictRow], user: int) -> int:
    posts = [row["post_id"] for row in connection.execute(_COMMENTED, (user, _BATCH))]
    connection.execute(_LOCK_POSTS, (posts,))
    connection.execute(_UNCOMMENT, {"user": user, "posts": posts})
    return len(posts)
