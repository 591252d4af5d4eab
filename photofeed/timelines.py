"""Timelines in Redis: sorted sets of posts by the time they were posted.

    tl:<user>        posts of normal accounts that the user follows, written on publish (fan-out on write)
    author:<user>    a creator's own latest posts: what followers of a celebrity pull, what a new follower is given
    pool:fresh       the latest public posts, for exploring
    pool:trending    public posts by how fast they are liked now, for exploring
    seen:<user>      posts lately shown to the user, by when
    hidden:<user>    posts the user never wants to see again
    active           people by when they last looked at posts: they are delivered to first
    timelines:whole  in which layout all timelines were written; gone with them where Redis is emptied

All of it may be lost: timelines, authors' posts and the fresh pool are made again from PostgreSQL, the others from
engagement.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeAlias

import numpy as np
import redis

from photofeed.posts import PostRef, author_of, decode_members
from photofeed.settings import Settings

FRESH_POOL, TRENDING_POOL = "pool:fresh", "pool:trending"
TIMELINES_WHOLE_KEY = "timelines:whole"
POOL_LENGTH = 5_000
AUTHOR_LENGTH = 500
SEEN_LENGTH = 2_000
SEEN_FOR = timedelta(hours=24)  # a post that was shown is not shown again
TRENDING_HALF_LIFE_SECONDS = 86_400.0
ACTIVE_PEOPLE = "active"
MOST_ACTIVE_PEOPLE = 1_000_000
_PIPELINE, _PARTS = 1_000, 6
_KEY_LAYOUT = 2  # raised with every change of the keys or the header of packed rows


def timeline_key(user_id: int) -> str:
    """Key of a follower's timeline."""
    return f"tl:{user_id}"


def author_key(user_id: int) -> str:
    """Key of a creator's own posts."""
    return f"author:{user_id}"


def seen_key(user_id: int) -> str:
    """Key of what a user was shown."""
    return f"seen:{user_id}"


def features_term_key(worker: str = "features") -> str:
    """How often a features worker began.

    Where it is gone, Redis was emptied, and its counters with it; where it is another layout's, nobody finds them.
    """
    return f"features:term:{_KEY_LAYOUT}:{worker}"


def hidden_key(user_id: int) -> str:
    """Key of what a user has hidden or reported."""
    return f"hidden:{user_id}"


def trending_score(likes: float, as_of_seconds: float) -> float:
    """A score by which posts compare at any later moment, without ever being written again.

    A decayed count v at time t is worth v·2^(-(now-t)/h) now; its logarithm orders posts alike for every `now`, so
    `now` drops out: log2(v) + t/h (forward decay).
    """
    return math.log2(max(likes, 1e-6)) + as_of_seconds / TRENDING_HALF_LIFE_SECONDS


# redis-py types every reply as perhaps awaitable, which no synchronous caller could use
RedisClient: TypeAlias = Any


def connect_redis(settings: Settings) -> RedisClient:
    """A synchronous client for workers; replies are bytes."""
    return redis.Redis.from_url(settings.redis_url.get_secret_value(), socket_timeout=10, socket_connect_timeout=3)


def entries_of(client: RedisClient, posts: Sequence[PostRef]) -> Iterator[tuple[str, PostRef]]:
    """Where posts still stand: (key, post) for every timeline and pool; reads them all, so for proofs only."""
    if not posts:
        return
    wanted = {post.post_id: post for post in posts}
    authors = {author_key(post.author_id).encode() for post in posts}
    timelines = client.scan_iter(match="tl:*", count=_PIPELINE)
    places = [FRESH_POOL.encode(), TRENDING_POOL.encode(), *authors, *timelines]
    for start in range(0, len(places), _PIPELINE):
        keys = places[start : start + _PIPELINE]
        pipeline = client.pipeline(transaction=False)
        for key in keys:
            pipeline.zrange(key, 0, -1)
        for key, members in zip(keys, pipeline.execute(), strict=True):
            found = wanted.keys() & set(decode_members(members)["post_id"].tolist())
            yield from ((key.decode(), wanted[post_id]) for post_id in sorted(found))


def note_active(pipeline: Any, last_seen: Mapping[int, float]) -> None:
    """Note when people last looked at posts, in seconds since the epoch; the most recent stay known."""
    if last_seen:
        pipeline.zadd(ACTIVE_PEOPLE, last_seen, gt=True)
        pipeline.zremrangebyrank(ACTIVE_PEOPLE, 0, -MOST_ACTIVE_PEOPLE - 1)


def recently_active_first(client: RedisClient, user_ids: Sequence[int]) -> list[int]:
    """People in the order in which they last looked at posts, latest first; those not known to have come last."""
    if not user_ids:
        return []
    last_seen = np.array([moment or 0.0 for moment in client.zmscore(ACTIVE_PEOPLE, user_ids)])
    ordered: list[int] = np.array(user_ids, np.int64)[np.argsort(-last_seen, kind="stable")].tolist()
    return ordered


class TimelineWriter:
    """Keeps timelines; every call may be repeated and leaves the same state."""

    def __init__(self, client: RedisClient, timeline_length: int) -> None:
        self._redis = client
        self._length = timeline_length

    def add_to_followers(self, post: PostRef, follower_ids: Sequence[int]) -> None:
        """Put a post into followers' timelines, newest `timeline_length` kept; who was there lately comes first.

        The commands are packed here: packed argument by argument they are most of what a delivery costs.
        """
        member = post.member()
        add = b"$%d\r\n%d\r\n$%d\r\n%b\r\n" % (len(str(post.posted_ms)), post.posted_ms, len(member), member)
        beyond = b"%d" % (-self._length - 1)
        trim = b"$1\r\n0\r\n$%d\r\n%b\r\n" % (len(beyond), beyond)
        recent_first = recently_active_first(self._redis, follower_ids)
        for start in range(0, len(recent_first), _PIPELINE):
            commands: list[bytes] = []
            for follower_id in recent_first[start : start + _PIPELINE]:
                key = b"tl:%d" % follower_id
                head = b"$%d\r\n%b\r\n" % (len(key), key)
                commands += (b"*4\r\n$4\r\nZADD\r\n", head, add, b"*4\r\n$15\r\nZREMRANGEBYRANK\r\n", head, trim)
            self._send(b"".join(commands), len(commands) // _PARTS * 2)

    def _send(self, packed: bytes, replies: int) -> None:
        """Send packed commands through the client's pool, and take as many replies.

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
            connection.disconnect()  # what is left on it is nobody's
            raise
        finally:
            pool.release(connection)

    def add_to_author(self, post: PostRef, *, public: bool) -> None:
        """Put a post among its author's own and, if everyone may see it, into the pool of fresh posts."""
        pipeline = self._redis.pipeline(transaction=False)
        _bounded_add(pipeline, author_key(post.author_id), post, AUTHOR_LENGTH)
        if public:
            _bounded_add(pipeline, FRESH_POOL, post, POOL_LENGTH)
        pipeline.execute()

    def follow(self, follower_id: int, author_id: int) -> None:
        """Give a new follower the author's latest posts."""
        latest = self._redis.zrange(author_key(author_id), 0, -1, withscores=True)
        if latest:
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.zadd(timeline_key(follower_id), dict(latest))
            pipeline.zremrangebyrank(timeline_key(follower_id), 0, -self._length - 1)
            pipeline.execute()

    def unfollow(self, follower_id: int, author_id: int) -> None:
        """Take the author's posts out of the timeline."""
        key = timeline_key(follower_id)
        members = self._redis.zrange(key, 0, -1)
        theirs = [member for member in members if author_of(member) == author_id]
        if theirs:
            self._redis.zrem(key, *theirs)

    def keep_from_strangers(self, posts: Sequence[PostRef]) -> None:
        """Take posts out of the pools that everybody explores."""
        if posts:
            self._redis.zrem(FRESH_POOL, *(post.member() for post in posts))
            self._redis.zrem(TRENDING_POOL, *(post.bare().member() for post in posts))

    def remove(self, post: PostRef, follower_ids: Iterable[int]) -> None:
        """Take a post out of everything it was put into."""
        member = post.member()
        pipeline = self._redis.pipeline(transaction=False)
        for key in (author_key(post.author_id), FRESH_POOL, *map(timeline_key, follower_ids)):
            pipeline.zrem(key, member)
        pipeline.zrem(TRENDING_POOL, post.bare().member())
        pipeline.execute()


def _bounded_add(pipeline: Any, key: str, post: PostRef, length: int) -> None:
    pipeline.zadd(key, {post.member(): post.posted_ms})
    pipeline.zremrangebyrank(key, 0, -length - 1)
