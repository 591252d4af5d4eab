"""Who asks for a feed, and what is known of them before any candidate is."""

from dataclasses import dataclass, field
from datetime import datetime

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from serving.feed.history import History


@dataclass(frozen=True, slots=True)
class FeedQuery:
    """One request for a slate."""

    user_id: int
    now: datetime
    celebrities: frozenset[int]  # followed accounts whose posts are pulled
    hidden: frozenset[int]  # muted, or blocked in either direction
    following: int  # how many accounts the user follows
    history: History = field(default_factory=History)

    @property
    def seconds(self) -> float:
        """The moment, in seconds since the epoch."""
        return self.now.timestamp()


_VIEWER = """
select
    (select following_count from users where id = %(me)s) as following,
    array(select f.followee_id from follows f join users u on u.id = f.followee_id
          where f.follower_id = %(me)s and (u.follower_count >= %(celebrity)s or u.pulled)) as celebrities,
    array(select muted_id from mutes where muter_id = %(me)s
          union select blocked_id from blocks where blocker_id = %(me)s
          union select blocker_id from blocks where blocked_id = %(me)s) as hidden
"""


async def make_query(
    connection: AsyncConnection[DictRow], user_id: int, now: datetime, celebrity_followers: int
) -> FeedQuery | None:
    """The query of a person; None if there is no such person."""
    arguments = {"me": user_id, "celebrity": celebrity_followers}
    row = await (await connection.execute(_VIEWER, arguments)).fetchone()
    if row is None or row["following"] is None:
        return None
    return FeedQuery(user_id, now, frozenset(row["celebrities"]), frozenset(row["hidden"]), row["following"])
