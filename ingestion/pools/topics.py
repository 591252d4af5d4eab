"""What people take to on each topic."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from ingestion.pools.engagement_weights import COMMENT, LIKE, SAVE
from ingestion.pools.public_posts import PUBLIC_POSTS, member_of
from photofeed.database import Database
from photofeed.explore_pools import join_members, topic_key

LATEST_FOR = timedelta(days=14)
LENGTH = 50

_POPULARITY = f"{LIKE} * p.like_count + {COMMENT} * p.comment_count + {SAVE} * p.save_count"
_BEST = f"""
select * from (
    select latest.*, row_number() over (partition by topic_id order by popularity desc, id desc) as place
    from ({PUBLIC_POSTS.replace("select", f"select {_POPULARITY} as popularity,")}
          and p.topic <> '' and p.posted_at > %(since)s) latest) ranked
where place <= %(limit)s order by topic_id, place
"""  # noqa: S608  constants


@dataclass(frozen=True, slots=True)
class Topics:
    """The most liked, saved and commented posts of the last two weeks, by topic."""

    database: Database
    name: str = "topics"
    every_seconds: float = 60.0

    def build(self, now: datetime) -> Mapping[str, bytes]:
        """One pool a topic."""
        with self.database.connection() as connection:
            rows = connection.execute(_BEST.encode(), {"since": now - LATEST_FOR, "limit": LENGTH}).fetchall()
        return {
            topic_key(topic): join_members(map(member_of, posts))
            for topic, posts in groupby(rows, key=lambda row: row["topic_id"])
        }
