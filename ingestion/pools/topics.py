"""Popular posts of each topic."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from ingestion.pools.public_posts import PUBLIC_POSTS, member_of
from photofeed.action_weights import POST_POPULARITY
from photofeed.database import Database
from photofeed.explore_pools import join_members, topic_key

LATEST_FOR = timedelta(days=14)
LENGTH = 50

_BEST = f"""
select * from (
    select latest.*, row_number() over (partition by topic_id order by popularity desc, id desc) as rank
    from ({PUBLIC_POSTS.replace("select", f"select {POST_POPULARITY} as popularity,")}
          and p.topic <> '' and p.posted_at > %(since)s) latest) ranked
where rank <= %(limit)s order by topic_id, rank
"""  # noqa: S608  constants


@dataclass(frozen=True, slots=True)
class Topics:
    """The most liked, saved and commented posts of the last two weeks, by topic."""

    database: Database
    name: str = "topics"
    every_seconds: float = 60.0

    def build(self, now: datetime) -> Mapping[str, bytes]:
        """One pool for each topic."""
        with self.database.connection() as connection:
            rows = connection.execute(_BEST.encode(), {"since": now - LATEST_FOR, "limit": LENGTH}).fetchall()
        return {
            topic_key(topic): join_members(map(member_of, posts))
            for topic, posts in groupby(rows, key=lambda row: row["topic_id"])
        }
