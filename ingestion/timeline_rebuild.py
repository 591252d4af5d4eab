"""Rebuilds timelines from PostgreSQL after Redis was emptied, or after a release changed their layout."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog
from psycopg.rows import DictRow

from ingestion.kept_marks import KeptMarks
from ingestion.pools.public_posts import PUBLIC_POSTS
from photofeed import database
from photofeed.database import Database
from photofeed.errors import UnavailableError
from photofeed.posts import POST_DTYPE, PostRef, post_of
from photofeed.publication import ref_of
from photofeed.redis_client import RedisClient
from photofeed.timelines import AUTHOR_LENGTH, FRESH_POOL, POOL_LENGTH, TIMELINES_WHOLE_KEY, author_key, timeline_key

log = structlog.get_logger(__name__)

FEWEST_EACH = 20  # posts of each followed account, for followers of thousands
_AT_ONCE = 100
_LAYOUT = str(POST_DTYPE.itemsize).encode()

_PEOPLE = "select id, following_count from users where id > %s order by id limit %s"
_PEOPLE_NOW = "select id, following_count from users where id = any(%s) order by id"
_LATEST = """
select latest.* from {whose} cross join lateral (
    select p.id, p.author_id, p.topic_id, p.posted_at, p.content_type, coalesce(m.phash, 0) as phash
    from posts p left join photo_metadata m on m.photo_id = p.id
    where p.author_id = a.id and p.visible order by p.id desc limit %(each)s) latest
"""
_BY_AUTHOR = _LATEST.format(whose="unnest(%(authors)s::bigint[]) as a(id)")
_FOLLOWED = f"""
{_LATEST.format(whose="follows f join users a on a.id = f.followee_id")}
where f.follower_id = %(person)s and not a.pulled order by latest.id desc limit %(length)s
"""
# Of entries, given as arrays of owners and posts, those that still belong where they are.
_ENTRIES = "unnest(%s::bigint[], %s::bigint[]) as e(owner, post) join posts p on p.id = e.post and p.visible"
_IN_TIMELINE = f"""
select e.owner, e.post from {_ENTRIES} join follows f on f.follower_id = e.owner and f.followee_id = p.author_id
"""  # noqa: S608  constants
_BY_OWNER = f"select e.owner, e.post from {_ENTRIES} and p.author_id = e.owner"  # noqa: S608
_PUBLIC = f"select e.owner, e.post from {_ENTRIES} join users u on u.id = p.author_id and not u.is_private"  # noqa: S608
_FRESH = f"{PUBLIC_POSTS} order by p.id desc limit {POOL_LENGTH}"


@dataclass(slots=True)
class TimelineRebuild:
    """Restores what fan-out wrote; fan-out may continue meanwhile.

    It adds posts that are missing, and drops entries that are unreadable or that PostgreSQL does not confirm. What it
    added is confirmed once more after it was written, as deliveries are (ingestion/deliveries.py): other workers remove
    posts meanwhile.
    """

    database: Database
    redis: RedisClient
    timeline_length: int
    marks: KeptMarks | None = None
    _waits: bool = False  # for a rebuild, since Redis lost writes

    def ensure(self) -> None:
        """Rebuild unless Redis has all timelines in this layout, or another process is rebuilding them.

        A transaction that holds the lock of the rebuild stays open while it runs.
        """
        if self.marks is not None and not self._waits and not self.marks.is_whole():
            log.warning("Redis came back without its last writes: timelines are rebuilt")
            self.redis.delete(TIMELINES_WHOLE_KEY)
            self._waits = True
        if self.redis.get(TIMELINES_WHOLE_KEY) != _LAYOUT:
            with self.database.connection() as connection:
                if not database.try_leadership_now(connection, database.TIMELINES):
                    return
                self.rebuild()
        if self.marks is not None and self._waits:
            self.marks.repaired()
            self._waits = False

    def finish(self) -> None:
        """Mark the deliveries since `ensure` as finished.

        Raises:
            UnavailableError: Redis has lost some of them: repeat them.
        """
        if self.marks is not None:
            self.marks.finish()

    def rebuild(self) -> int:
        """Restore creators' own posts, the fresh pool and all timelines; returns the number of timelines.

        A timeline gets the newest posts of each followed account: an equal share of twice its length, and at least
        FEWEST_EACH of each. So a follower of thousands costs thousands of index look-ups, and no sort of all posts.
        """
        servers = None if self.marks is None else self.marks.look().servers
        posts, restored = PostsOfRedis(self.database, self.timeline_length), 0
        for authors in posts.authors():
            self._restore(posts, posts.of_authors(authors), AUTHOR_LENGTH)
        self._restore(posts, [posts.fresh()], POOL_LENGTH)
        for people in posts.people():
            self._restore(posts, posts.of_timelines(people), self.timeline_length)
            restored += len(people)
        if self.marks is not None and self.marks.look().servers != servers:
            raise UnavailableError("Redis was restarted or replaced while timelines were rebuilt")
        self.redis.set(TIMELINES_WHOLE_KEY, _LAYOUT)
        log.info("timelines rebuilt", timelines=restored)
        return restored

    def _restore(self, posts: "PostsOfRedis", kept: Sequence["KeptPosts"], length: int) -> None:
        """Add posts to sorted sets, and drop members that PostgreSQL does not confirm, before or afterwards."""
        reading = self.redis.pipeline(transaction=False)
        for each in kept:
            reading.zrange(each.key, 0, -1)
        found: list[list[bytes]] = reading.execute()
        missing = [{post.member(): post.posted_ms for post in each.posts} for each in kept]
        for scores, members in zip(missing, found, strict=True):
            for member in members:
                scores.pop(member, None)
        self._drop(kept, posts.unconfirmed(kept, found))
        writing = self.redis.pipeline(transaction=False)
        for each, scores in zip(kept, missing, strict=True):
            if scores:
                writing.zadd(each.key, scores)
                writing.zremrangebyrank(each.key, 0, -length - 1)
        writing.execute()
        self._drop(kept, posts.unconfirmed([replace(each, posts=()) for each in kept], [list(one) for one in missing]))

    def _drop(self, kept: Sequence["KeptPosts"], wrong: Sequence[Sequence[bytes]]) -> None:
        dropping = self.redis.pipeline(transaction=False)
        for each, members in zip(kept, wrong, strict=True):
            if members:
                dropping.zrem(each.key, *members)
        dropping.execute()


@dataclass(frozen=True, slots=True)
class KeptPosts:
    """A sorted set, whose it is, its newest posts in PostgreSQL, and the query that confirms other members."""

    key: str
    owner: int
    posts: Sequence[PostRef]
    confirm: str


@dataclass(frozen=True, slots=True)
class PostsOfRedis:
    """The posts that sorted sets in Redis have by PostgreSQL."""

    database: Database
    timeline_length: int

    def authors(self) -> Iterator[list[int]]:
        """Ids of everybody, in pieces: Redis may have posts of those who have deleted all of theirs."""
        return ([row["id"] for row in rows] for rows in self.people())

    def people(self) -> Iterator[list[DictRow]]:
        """Everybody, in pieces: `id` and `following_count`."""
        return self._ids(_PEOPLE)

    def people_now(self, ids: Sequence[int]) -> list[DictRow]:
        """These people as they are now, without those whose accounts were deleted."""
        with self.database.connection() as connection:
            return connection.execute(_PEOPLE_NOW, (list(ids),)).fetchall()

    def of_authors(self, ids: Sequence[int]) -> list[KeptPosts]:
        """The own posts of creators."""
        posts: dict[int, list[PostRef]] = {author: [] for author in ids}
        for post in self._posts(_BY_AUTHOR, {"authors": list(ids), "each": AUTHOR_LENGTH}):
            posts[post.author_id].append(post)
        return [KeptPosts(author_key(one), one, posts[one], _BY_OWNER) for one in ids]

    def fresh(self) -> KeptPosts:
        """The pool of fresh posts."""
        return KeptPosts(FRESH_POOL, 0, self._posts(_FRESH, {}), _PUBLIC)

    def of_timelines(self, people: Sequence[DictRow], most_each: int | None = None) -> list[KeptPosts]:
        """The timelines of people, with at most so many posts of each followed account."""
        return [
            KeptPosts(timeline_key(one["id"]), one["id"], self._followed(one, most_each), _IN_TIMELINE)
            for one in people
        ]

    def unconfirmed(self, kept: Sequence["KeptPosts"], found: Sequence[Sequence[bytes]]) -> list[list[bytes]]:
        """Of the members of each sorted set those that are unreadable, or do not belong there."""
        confirmed = self.confirmed(kept, found)
        return [
            [
                member
                for member in members
                if len(member) != POST_DTYPE.itemsize
                or (member not in known and (each.owner, post_of(member)) not in confirmed)
            ]
            for each, members, known in zip(
                kept, found, [{post.member() for post in each.posts} for each in kept], strict=True
            )
        ]

    def confirmed(self, kept: Sequence[KeptPosts], found: Sequence[Sequence[bytes]]) -> set[tuple[int, int]]:
        """Owners and posts of the members that were not read from PostgreSQL anyway, and still belong there.

        All of `kept` must have the same query.
        """
        pairs = [
            (each.owner, post_of(member))
            for each, members in zip(kept, found, strict=True)
            for member in set(members) - {post.member() for post in each.posts}
            if len(member) == POST_DTYPE.itemsize
        ]
        if not pairs:
            return set()
        owners, posts = zip(*pairs, strict=True)
        with self.database.connection() as connection:
            rows = connection.execute(kept[0].confirm.encode(), (list(owners), list(posts))).fetchall()
        return {(row["owner"], row["post"]) for row in rows}

    def _followed(self, person: DictRow, most_each: int | None) -> list[PostRef]:
        if not person["following_count"]:
            return []
        each = max(FEWEST_EACH, 2 * self.timeline_length // person["following_count"])
        each = each if most_each is None else min(each, most_each)
        return self._posts(_FOLLOWED, {"person": person["id"], "each": each, "length": self.timeline_length})

    def _posts(self, query: str, arguments: dict[str, Any]) -> list[PostRef]:
        with self.database.connection() as connection:
            return [ref_of(row) for row in connection.execute(query.encode(), arguments)]

    def _ids(self, query: str) -> Iterator[list[DictRow]]:
        after = 0
        while True:
            with self.database.connection() as connection:
                rows = connection.execute(query.encode(), (after, _AT_ONCE)).fetchall()
            if not rows:
                return
            after = rows[-1]["id"]
            yield rows
