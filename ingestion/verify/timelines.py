"""Timelines, creators' posts and pools in Redis against PostgreSQL."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

from ingestion.pools.worker import KEPT_SECONDS
from ingestion.timeline_rebuild import KeptPosts, PostsOfRedis
from ingestion.verify import Disagreement, Patience
from photofeed.database import Database
from photofeed.explore_pools import posts_of_pools
from photofeed.ids import encode_id
from photofeed.posts import POST_DTYPE, post_of
from photofeed.redis_client import RedisClient, primaries
from photofeed.timelines import AUTHOR_LENGTH, POOL_LENGTH

_REPAIR = "delete the Redis key timelines:whole: the fan-out worker then rebuilds all timelines"
_SCANNED_AT_ONCE = 500
_EXPLORE = ("explore:*", "near:*")
_GONE = "select photo_id as id from removed_photos where photo_id = any(%s) and removed_at < %s"


@dataclass(slots=True)
class Timelines:
    """Every timeline, every creator's own posts and the fresh pool: posts that are missing or wrong."""

    database: Database
    redis: RedisClient
    timeline_length: int
    patience: Patience
    name: str = "timelines"
    compared: int = 0
    notes: list[str] = field(default_factory=list)

    def run(self) -> Iterator[Disagreement]:
        """Creators first, then the fresh pool, then timelines."""
        posts = PostsOfRedis(self.database, self.timeline_length)
        for authors in posts.authors():
            yield from self._compare(partial(posts.of_authors, authors), AUTHOR_LENGTH)
            self.compared += len(authors)
        yield from self._compare(lambda: [posts.fresh()], POOL_LENGTH)
        self.compared += 1
        for people in posts.people():
            ids = [row["id"] for row in people]
            yield from self._compare(partial(_timelines, posts, ids), self.timeline_length)
            self.compared += len(ids)

    def _compare(self, read: Callable[[], Sequence[KeptPosts]], length: int) -> list[Disagreement]:
        return self.patience.persisting(lambda: self._differing(read(), length))

    def _differing(self, kept: Sequence[KeptPosts], length: int) -> Iterator[Disagreement]:
        """Posts that are missing in Redis, and posts that PostgreSQL does not confirm."""
        if not kept:
            return
        pipeline = self.redis.pipeline(transaction=False)
        for each in kept:
            pipeline.zrange(each.key, 0, -1, withscores=True)
        found: list[list[tuple[bytes, float]]] = pipeline.execute()
        posts = PostsOfRedis(self.database, self.timeline_length)
        confirmed = posts.confirmed(kept, [[member for member, _ in members] for members in found])
        for each, members in zip(kept, found, strict=True):
            there = {post_of(member) for member, _ in members if len(member) == POST_DTYPE.itemsize}
            yield from _missing(each, there, _trimmed_before(members, length))
            for post_id in sorted(there - {post.post_id for post in each.posts}):
                if (each.owner, post_id) not in confirmed:
                    told = "Redis has the post, and by PostgreSQL it does not belong there"
                    yield Disagreement("redis.wrong_post", f"{each.key} {encode_id(post_id)}", told, _REPAIR)


def _trimmed_before(members: Sequence[tuple[bytes, float]], length: int) -> float:
    """The score up to which posts may have been trimmed: that of the oldest member of a full set."""
    return min(score for _, score in members) if len(members) >= length else -math.inf


def _missing(kept: KeptPosts, there: set[int], trimmed_ms: float) -> Iterator[Disagreement]:
    for post in kept.posts:
        if post.post_id not in there and post.posted_ms > trimmed_ms:
            told = "PostgreSQL has the post, and Redis does not"
            yield Disagreement("redis.missing_post", f"{kept.key} {encode_id(post.post_id)}", told, _REPAIR)


def _timelines(posts: PostsOfRedis, ids: Sequence[int]) -> list[KeptPosts]:
    # following somebody delivers no more than their latest AUTHOR_LENGTH posts
    return posts.of_timelines(posts.people_now(ids), AUTHOR_LENGTH)


@dataclass(slots=True)
class Pools:
    """Explore pools: posts that were deleted longer ago than any pool is kept."""

    database: Database
    redis: RedisClient
    patience: Patience
    name: str = "pools"
    compared: int = 0
    notes: list[str] = field(default_factory=list)

    def run(self) -> Iterator[Disagreement]:
        """By pool."""
        for server in primaries(self.redis):
            for pattern in _EXPLORE:
                waiting: list[bytes] = []
                for key in server.scan_iter(match=pattern, count=_SCANNED_AT_ONCE):
                    waiting.append(key)
                    if len(waiting) == _SCANNED_AT_ONCE:
                        yield from self._compare(waiting)
                        waiting = []
                yield from self._compare(waiting)

    def _compare(self, keys: Sequence[bytes]) -> list[Disagreement]:
        self.compared += len(keys)
        return self.patience.persisting(lambda: self._differing(keys)) if keys else []

    def _differing(self, keys: Sequence[bytes]) -> Iterator[Disagreement]:
        pipeline = self.redis.pipeline(transaction=False)
        for key in keys:
            pipeline.get(key)
        values = pipeline.execute()
        pools = {key: set(posts_of_pools(one)["post_id"].tolist()) for key, one in zip(keys, values, strict=True)}
        named = sorted(set().union(*pools.values()))
        before = datetime.now(UTC) - timedelta(seconds=KEPT_SECONDS)
        with self.database.connection() as connection:
            gone = {row["id"] for row in connection.execute(_GONE, (named, before))}
        for key, posts in pools.items():
            for post_id in sorted(posts & gone):
                yield Disagreement(
                    "redis.deleted_post",
                    f"{key.decode()} {encode_id(post_id)}",
                    "the pool has a post that was deleted more than a day ago",
                    "photofeed pools, which builds all pools",
                )
