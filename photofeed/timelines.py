"""Timelines in Redis: sorted sets of posts by time of posting.

    tl:<user>        posts of normal accounts that the user follows, written on publish (fan-out on write)
    author:<user>    a creator's latest posts: followers of a celebrity pull them, a new follower gets them
    pool:fresh       the latest public posts, for exploring
    pool:trending    public posts by their current rate of likes, for exploring
    seen:<user>      posts recently shown to the user, by time
    hidden:<user>    posts that the user has hidden or reported
    active           people by the time they last viewed posts: fan-out delivers to the most recent first
    timelines:whole  layout of the timelines; missing after Redis was emptied

All of it can be rebuilt: timelines, authors' posts and the fresh pool from PostgreSQL, the others from engagement.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import numpy as np
from redis.cluster import RedisCluster

from photofeed.online_store.resp import bulk_string
from photofeed.posts import PostRef, author_of, decode_members
from photofeed.redis_client import RedisClient

FRESH_POOL, TRENDING_POOL = "pool:fresh", "pool:trending"
TIMELINES_WHOLE_KEY = "timelines:whole"
POOL_LENGTH = 5_000
AUTHOR_LENGTH = 500
SEEN_LENGTH = 2_000
SEEN_FOR = timedelta(hours=24)  # for this long a post is not shown again
TRENDING_HALF_LIFE_SECONDS = 86_400.0
ACTIVE_PEOPLE = "active"
MOST_ACTIVE_PEOPLE = 1_000_000
_PIPELINE, _PARTS = 1_000, 6


def timeline_key(user_id: int) -> str:
    """Key of a follower's timeline."""
    return f"tl:{user_id}"


def author_key(user_id: int) -> str:
    """Key of a creator's own posts."""
    return f"author:{user_id}"


def seen_key(user_id: int) -> str:
    """Key of the posts shown to a user."""
    return f"seen:{user_id}"


def hidden_key(user_id: int) -> str:
    """Key of the posts that a user has hidden or reported."""
    return f"hidden:{user_id}"


def trending_score(likes: float, as_of_seconds: float) -> float:
    """A score that orders posts by decayed likes at any later time, so that it never has to be rewritten.

    A decayed count v of time t is v·2^(-(now-t)/h) now. Its logarithm orders posts in the same way for every `now`, so
    `now` is dropped: log2(v) + t/h (forward decay).
    """
    return math.log2(max(likes, 1e-6)) + as_of_seconds / TRENDING_HALF_LIFE_SECONDS


def entries_of(client: RedisClient, posts: Sequence[PostRef]) -> Iterator[tuple[str, PostRef]]:
    """(key, post) for every timeline and pool that contains one of the posts. Reads all of them: only for proofs."""
    if not posts:
        return
    wanted = {post.post_id: post for post in posts}
    authors = {author_key(post.author_id).encode() for post in posts}
    timelines = client.scan_iter(match="tl:*", count=_PIPELINE)
    all_keys = [FRESH_POOL.encode(), TRENDING_POOL.encode(), *authors, *timelines]
    for start in range(0, len(all_keys), _PIPELINE):
        keys = all_keys[start : start + _PIPELINE]
        pipeline = client.pipeline(transaction=False)
        for key in keys:
            pipeline.zrange(key, 0, -1)
        for key, members in zip(keys, pipeline.execute(), strict=True):
            found = wanted.keys() & set(decode_members(members)["post_id"].tolist())
            yield from ((key.decode(), wanted[post_id]) for post_id in sorted(found))


def note_active(pipeline: Any, last_seen: Mapping[int, float]) -> None:
    """Record when people last viewed posts, in seconds since the epoch; keeps the MOST_ACTIVE_PEOPLE most recent."""
    if last_seen:
        pipeline.zadd(ACTIVE_PEOPLE, last_seen, gt=True)
        pipeline.zremrangebyrank(ACTIVE_PEOPLE, 0, -MOST_ACTIVE_PEOPLE - 1)


def recently_active_first(client: RedisClient, user_ids: Sequence[int]) -> list[int]:
    """People by the time they last viewed posts, most recent first; people without a known time come last."""
    if not user_ids:
        return []
    last_seen = np.array([moment or 0.0 for moment in client.zmscore(ACTIVE_PEOPLE, user_ids)])
    ordered: list[int] = np.array(user_ids, np.int64)[np.argsort(-last_seen, kind="stable")].tolist()
    return ordered


class TimelineWriter:
    """Writes timelines; every call is idempotent."""

    def __init__(self, client: RedisClient, timeline_length: int) -> None:
        self._redis = client
        self._length = timeline_length

    def add_to_followers(self, post: PostRef, follower_ids: Sequence[int]) -> None:
        """Add a post to followers' timelines, which keep the newest `timeline_length`; recently active people first.

        The commands are packed here, because redis-py's packing would be most of the cost of a delivery.
        """
        add = bulk_string(b"%d" % post.posted_ms) + bulk_string(post.member())
        trim = bulk_string(b"0") + bulk_string(b"%d" % (-self._length - 1))
        recent_first = recently_active_first(self._redis, follower_ids)
        if isinstance(self._redis, RedisCluster):
            self._add_on_cluster(post, recent_first)
            return
        for start in range(0, len(recent_first), _PIPELINE):
            commands: list[bytes] = []
            for follower_id in recent_first[start : start + _PIPELINE]:
                key = bulk_string(timeline_key(follower_id).encode())
                commands += (b"*4\r\n$4\r\nZADD\r\n", key, add, b"*4\r\n$15\r\nZREMRANGEBYRANK\r\n", key, trim)
            self._send(b"".join(commands), len(commands) // _PARTS * 2)

    def _add_on_cluster(self, post: PostRef, follower_ids: Sequence[int]) -> None:
        """`add_to_followers` on a cluster, where redis-py sends each node its commands together."""
        member = {post.member(): post.posted_ms}
        for start in range(0, len(follower_ids), _PIPELINE):
            pipeline = self._redis.pipeline(transaction=False)
            for key in map(timeline_key, follower_ids[start : start + _PIPELINE]):
                pipeline.zadd(key, member)
                pipeline.zremrangebyrank(key, 0, -self._length - 1)
            pipeline.execute()

    def _send(self, packed: bytes, replies: int) -> None:
        """Send packed commands on a connection of the client's pool, and read `replies` replies.

        Raises:
            redis.RedisError: the connection failed, or Redis refused a command.
        """
        pool = self._redis.connection_pool
        connection = pool.get_connection()

        def exchange() -> None:
            connection.send_packed_command([packed])
            for _ in range(replies):
                connection.read_response()

        try:
            connection.retry.call_with_retry(exchange, lambda _: connection.disconnect())
        except BaseException:
            connection.disconnect()  # no other request must read the remaining replies
            raise
        finally:
            pool.release(connection)

    def add_to_author(self, post: PostRef, *, public: bool) -> None:
        """Add a post to its author's posts and, if it is public, to the pool of fresh posts."""
        pipeline = self._redis.pipeline(transaction=False)
        _bounded_add(pipeline, author_key(post.author_id), post, AUTHOR_LENGTH)
        if public:
            _bounded_add(pipeline, FRESH_POOL, post, POOL_LENGTH)
        pipeline.execute()

    def follow(self, follower_id: int, author_id: int) -> None:
        """Add the author's latest posts to a new follower's timeline."""
        latest = self._redis.zrange(author_key(author_id), 0, -1, withscores=True)
        if latest:
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.zadd(timeline_key(follower_id), dict(latest))
            pipeline.zremrangebyrank(timeline_key(follower_id), 0, -self._length - 1)
            pipeline.execute()

    def unfollow(self, follower_id: int, author_id: int) -> None:
        """Remove the author's posts from the timeline."""
        self.drop(follower_id, self.delivered(follower_id, author_id))

    def delivered(self, follower_id: int, author_id: int) -> list[bytes]:
        """The members of the timeline that are posts of the author."""
        members: list[bytes] = self._redis.zrange(timeline_key(follower_id), 0, -1)
        return [member for member in members if author_of(member) == author_id]

    def drop(self, follower_id: int, members: Sequence[bytes]) -> None:
        """Remove members from the timeline."""
        if members:
            self._redis.zrem(timeline_key(follower_id), *members)

    def keep_from_strangers(self, posts: Sequence[PostRef]) -> None:
        """Remove posts from the pools of public posts."""
        if posts:
            self._redis.zrem(FRESH_POOL, *(post.member() for post in posts))
            self._redis.zrem(TRENDING_POOL, *(post.bare().member() for post in posts))

    def remove(self, post: PostRef, follower_ids: Iterable[int]) -> None:
        """Remove a post from all timelines and pools."""
        member = post.member()
        pipeline = self._redis.pipeline(transaction=False)
        for key in (author_key(post.author_id), FRESH_POOL, *map(timeline_key, follower_ids)):
            pipeline.zrem(key, member)
        pipeline.zrem(TRENDING_POOL, post.bare().member())
        pipeline.execute()


def _bounded_add(pipeline: Any, key: str, post: PostRef, length: int) -> None:
    pipeline.zadd(key, {post.member(): post.posted_ms})
    pipeline.zremrangebyrank(key, 0, -length - 1)
