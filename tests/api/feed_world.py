"""A small world written directly into the databases: people, posts and follows by SQL, timelines by their writer."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count

import numpy as np

from photofeed import database
from photofeed.ids import IdGenerator
from photofeed.posts import PostRef
from photofeed.redis_client import connect_redis
from photofeed.settings import Settings
from photofeed.timelines import TimelineWriter

_PEOPLE = """
insert into users (id, handle, display_name, created_at)
select id, 'w' || id, 'W', %s from unnest(%s::bigint[]) id
"""
_PHOTOS = """
insert into photos (id, owner_id, status, original_key, width, height, created_at)
select *, 'ready', 'k', 8, 8, now() from unnest(%s::bigint[], %s::bigint[])
"""
_POSTS = """
insert into posts (id, author_id, topic, topic_id, content_type, posted_at, visible)
select id, author, 'sea', 7, 'photo', posted, true
from unnest(%s::bigint[], %s::bigint[], %s::timestamptz[]) as p(id, author, posted)
"""
_METADATA = """
insert into photo_metadata (photo_id, width, height, phash, sharpness, brightness, entropy, aspect)
select *, 1, 1, 1, 1 from (select id, 8, 8, phash from unnest(%s::bigint[], %s::bigint[]) as p(id, phash)) looks
"""
_MANY = 1_000
_SHOWN = "update posts set visible = %s where id = any(%s)"
_FOLLOW = """
with added as (
    insert into follows (follower_id, followee_id, created_at) select %s, id, now() from unnest(%s::bigint[]) id
    returning followee_id)
, counted as (update users set follower_count = follower_count + 1 where id in (select followee_id from added))
update users set following_count = following_count + (select count(*) from added) where id = %s
"""


class FeedWorld:
    """Adds to the databases that the settings name.

    Worlds of several tests are in the same databases, so without a `seed` each has pictures of its own: those of two
    worlds with one seed are near duplicates.
    """

    def __init__(self, settings: Settings, seed: int | None = None) -> None:
        self._settings = settings
        self._ids = IdGenerator()
        self._rng = np.random.default_rng(seed)

    def people(self, number: int) -> list[int]:
        """New people."""
        moment = datetime.now(UTC) - timedelta(days=200)
        people = [self._ids.next() for _ in range(number)]
        with database.connect(self._settings) as connection:
            connection.execute(_PEOPLE, (moment, people))
        return people

    def posts(self, authors: Sequence[int], each: int = 1, age: timedelta = timedelta(hours=1)) -> list[PostRef]:
        """New posts without near duplicates; those of one author are a minute apart, the newest `age` old."""
        refs = []
        for number in range(each):
            moment = datetime.now(UTC) - age - timedelta(minutes=each - 1 - number)
            looks = self._rng.integers(-(2**63), 2**63 - 1, len(authors)).tolist()
            first_ms = int(moment.timestamp() * 1000)
            refs += [
                PostRef(self._ids.at(datetime.fromtimestamp(ms / 1000, UTC)), author, 7, ms, look)
                # a millisecond each, so that ids keep the order of the authors
                for ms, author, look in zip(count(first_ms - len(authors)), authors, looks, strict=False)
            ]
        ids, owners = [ref.post_id for ref in refs], [ref.author_id for ref in refs]
        moments = [datetime.fromtimestamp(ref.posted_ms / 1000, UTC) for ref in refs]
        with database.connect(self._settings) as connection, connection.transaction():
            connection.execute(_PHOTOS, (ids, owners))
            connection.execute(_POSTS, (ids, owners, moments))
            connection.execute(_METADATA, (ids, [ref.perceptual_hash for ref in refs]))
        return refs

    def follow(self, follower: int, authors: Sequence[int]) -> None:
        """Add follows; timelines are not changed."""
        with database.connect(self._settings) as connection:
            connection.execute(_FOLLOW, (follower, list(authors), follower))
            if len(authors) > _MANY:  # PostgreSQL does so itself a minute later; until then it may plan for few rows
                connection.execute("analyze users, follows, posts")

    @contextmanager
    def hidden(self, post_ids: Sequence[int]) -> Iterator[None]:
        """Hide these posts while the context is open; pools are not changed."""
        with database.connect(self._settings) as connection:
            connection.execute(_SHOWN, (False, list(post_ids)))
            try:
                yield
            finally:
                connection.execute(_SHOWN, (True, list(post_ids)))

    def deliver(self, posts: Sequence[PostRef], followers: Sequence[int]) -> None:
        """Write posts to timelines and pools, as fan-out does."""
        with connect_redis(self._settings) as client:
            writer = TimelineWriter(client, self._settings.timeline_length)
            for post in posts:
                writer.add_to_author(post, public=True)
                writer.add_to_followers(post, followers)
