"""Who asks for a feed, and what is known of them before any candidate is."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime

from serving.feed.history import History
from serving.reads import Reads, Statement


@dataclass(frozen=True, slots=True)
class Viewer:
    """What the database says of the person who asks."""

    celebrities: frozenset[int]  # followed accounts whose posts are pulled
    hidden: frozenset[int]  # muted, or blocked in either direction
    following: int  # how many accounts the person follows


@dataclass(frozen=True, slots=True)
class FeedRequest:
    """Who asks, and when: enough for most sources to begin with, while the database is still being asked."""

    user_id: int
    now: datetime
    viewer: asyncio.Future[Viewer]

    @property
    def seconds(self) -> float:
        """The moment, in seconds since the epoch."""
        return self.now.timestamp()


@dataclass(frozen=True, slots=True)
class FeedQuery:
    """One request for a slate, with all that is known of who asks."""

    user_id: int
    now: datetime
    viewer: Viewer
    history: History = field(default_factory=History)

    @property
    def seconds(self) -> float:
        """The moment, in seconds since the epoch."""
        return self.now.timestamp()


_VIEWER = Statement.of("""
select
    (select following_count from users where id = %(me)s),
    array(select f.followee_id from follows f join users u on u.id = f.followee_id
          where f.follower_id = %(me)s and u.pulled),
    array(select muted_id from mutes where muter_id = %(me)s
          union select blocked_id from blocks where blocker_id = %(me)s
          union select blocker_id from blocks where blocked_id = %(me)s)
""")


async def read_viewer(reads: Reads, user_id: int) -> Viewer | None:
    """What the database says of a person; None if there is no such person."""
    ((following, celebrities, hidden),) = await reads.rows(_VIEWER, me=user_id)
    return None if following is None else Viewer(frozenset(celebrities), frozenset(hidden), following)
