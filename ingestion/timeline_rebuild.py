"""Timelines made again from PostgreSQL: where Redis was emptied, or has them as another release wrote them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from psycopg.rows import DictRow

from ingestion.pools.public_posts import PUBLIC_POSTS
from photofeed import database
from photofeed.database import Database
from photofeed.posts import POST_DTYPE, PostRef
from photofeed.publication import ref_of
from photofeed.timelines import (
    AUTHOR_LENGTH,
    FRESH_POOL,
    POOL_LENGTH,
    TIMELINES_WHOLE_KEY,
    RedisClient,
    author_key,
    timeline_key,
)

log = structlog.get_logger(__name__)

FEWEST_EACH = 20  # posts of an account in the timeline of somebody who follows thousands
_AT_ONCE = 100
_LAYOUT = str(POST_DTYPE.itemsize).encode()

_AUTHORS = "select distinct author_id as id from posts where visible and author_id > %s order by 1 limit %s"
_PEOPLE = "select id, following_count from users where following_count > 0 and id > %s order by id limit %s"
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
_FRESH = f"{PUBLIC_POSTS} order by p.id desc limit {POOL_LENGTH}"


@dataclass(slots=True)
class TimelineRebuild:
    """Restores what fan-out wrote. It only adds posts, and drops what nobody can read: fan-out may go on meanwhile."""

    database: Database
    redis: RedisClient
    timeline_length: int

    def ensure(self) -> None:
        """Rebuild if Redis does not say that timelines are whole, unless somebody else is at it."""
        if self.redis.get(TIMELINES_WHOLE_KEY) == _LAYOUT:
            return
        with self.database.connection() as connection:
            if database.try_to_lead_now(connection, database.TIMELINES):
                self.rebuild()

    def rebuild(self) -> int:
        """Restore creators' own posts, the fresh pool and everybody's timeline; returns how many timelines.

        A timeline gets the newest posts of each account followed: an equal share of twice its length, and at least
        FEWEST_EACH of them, so that somebody who follows thousands costs thousands of look-ups and no sort of all.
        """
        for authors in self._ids(_AUTHORS):
            arguments = {"authors": [row["id"] for row in authors], "each": AUTHOR_LENGTH}
            self._restore_authors(self._posts(_BY_AUTHOR, arguments))
        self._restore({FRESH_POOL: self._posts(_FRESH, {})}, POOL_LENGTH)
        restored = 0
        for people in self._ids(_PEOPLE):
            self._restore({timeline_key(row["id"]): self._followed(row) for row in people}, self.timeline_length)
            restored += len(people)
        self.redis.set(TIMELINES_WHOLE_KEY, _LAYOUT)
        log.info("timelines rebuilt", timelines=restored)
        return restored

    def _followed(self, person: DictRow) -> list[PostRef]:
        each = max(FEWEST_EACH, 2 * self.timeline_length // person["following_count"])
        return self._posts(_FOLLOWED, {"person": person["id"], "each": each, "length": self.timeline_length})

    def _restore_authors(self, posts: Sequence[PostRef]) -> None:
        by_author: dict[str, list[PostRef]] = {}
        for post in posts:
            by_author.setdefault(author_key(post.author_id), []).append(post)
        self._restore(by_author, AUTHOR_LENGTH)

    def _restore(self, posts: dict[str, list[PostRef]], length: int) -> None:
        reading = self.redis.pipeline(transaction=False)
        for key in posts:
            reading.zrange(key, 0, -1)
        writing = self.redis.pipeline(transaction=False)
        for (key, mine), members in zip(posts.items(), reading.execute(), strict=True):
            unreadable = [member for member in members if len(member) != POST_DTYPE.itemsize]
            if unreadable:
                writing.zrem(key, *unreadable)
            if mine:
                writing.zadd(key, {post.member(): post.posted_ms for post in mine})
                writing.zremrangebyrank(key, 0, -length - 1)
        writing.execute()

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
