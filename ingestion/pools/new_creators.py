"""Recent posts of creators who are new or have few followers, so that they get an audience."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from ingestion.pools.public_posts import PUBLIC_POSTS, member_of
from photofeed.database import Database
from photofeed.explore_pools import NEW_CREATORS_KEY, join_members

FRESH_FOR = timedelta(days=7)
NEW_FOR = timedelta(days=30)
LITTLE_KNOWN_FOLLOWERS = 50
POSTS_EACH = 3
LENGTH = 500

_FRESH = f"""
select * from (
    select fresh.*, row_number() over (partition by author_id order by id desc) as rank
    from ({PUBLIC_POSTS} and p.posted_at > %(fresh)s and p.posted_at <= %(now)s
          and (u.created_at > %(new)s or u.follower_count < %(followers)s)) fresh) ranked
where rank <= %(each)s order by rank, id desc limit %(limit)s
"""  # noqa: S608  constants


@dataclass(frozen=True, slots=True)
class NewCreators:
    """The newest post of every such creator, then the second newest of each, and so on: no creator fills the pool."""

    database: Database
    name: str = "new creators"
    every_seconds: float = 15.0

    def build(self, now: datetime) -> Mapping[str, bytes]:
        """One pool."""
        arguments = {
            "fresh": now - FRESH_FOR,
            "now": now,
            "new": now - NEW_FOR,
            "followers": LITTLE_KNOWN_FOLLOWERS,
            "each": POSTS_EACH,
            "limit": LENGTH,
        }
        with self.database.connection() as connection:
            rows = connection.execute(_FRESH.encode(), arguments).fetchall()
        return {NEW_CREATORS_KEY: join_members(map(member_of, rows))}
