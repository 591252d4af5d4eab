"""The viewer of a feed, and what is known about them before candidates are fetched."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b

import numpy as np

from photofeed.errors import NotFoundError
from serving.feed.candidates import Ids, no_ids
from serving.feed.dislikes import DISLIKED, Dislikes
from serving.feed.history import History
from serving.feed.stage_times import timed
from serving.reads import Reads, Statement

_DIGEST_BYTES = 8


@dataclass(frozen=True, slots=True)
class Viewer:
    """What PostgreSQL knows about the viewer."""

    celebrities: frozenset[int]  # followed accounts whose posts are pulled
    hidden: frozenset[int]  # accounts muted, or blocked in either direction
    following: int  # number of followed accounts
    dislikes: Dislikes = field(default_factory=Dislikes)
    follow_changes: int = 0  # how often the follows have changed

    @property
    def relations(self) -> bytes:
        """A digest that changes when the viewer's follows, mutes or blocks do, also those blocks by others."""
        parts = np.array([self.follow_changes, *sorted(self.hidden)], np.int64)
        return blake2b(parts.tobytes(), digest_size=_DIGEST_BYTES).digest()


@dataclass(frozen=True, slots=True)
class FeedRequest:
    """Viewer and time: enough for most sources to start, while the viewer look-up is still running."""

    user_id: int
    now: datetime
    viewer: asyncio.Future[Viewer]

    @property
    def seconds(self) -> float:
        """The time of the request, in seconds since the epoch."""
        return self.now.timestamp()


@dataclass(frozen=True, slots=True)
class FeedQuery:
    """One request for a slate, with the viewer, their history, and the posts on earlier slates of the feed."""

    user_id: int
    now: datetime
    viewer: Viewer
    history: History = field(default_factory=History)
    shown: Ids = field(default_factory=no_ids)

    @property
    def seconds(self) -> float:
        """The time of the request, in seconds since the epoch."""
        return self.now.timestamp()


_VIEWER = Statement.of(f"""
select
    (select following_count from users where id = %(me)s),
    (select follow_changes from users where id = %(me)s),
    array(select f.followee_id from follows f join users u on u.id = f.followee_id
          where f.follower_id = %(me)s and u.pulled),
    array(select muted_id from mutes where muter_id = %(me)s
          union select blocked_id from blocks where blocker_id = %(me)s
          union select blocker_id from blocks where blocked_id = %(me)s),
    disliked.*
from ({DISLIKED}) disliked
""")  # noqa: S608  constants


async def read_viewer(reads: Reads, user_id: int) -> Viewer | None:
    """The viewer with this id; None if there is no such user."""
    ((following, follow_changes, celebrities, hidden, *dislikes),) = await reads.rows(_VIEWER, me=user_id)
    if following is None:
        return None
    return Viewer(frozenset(celebrities), frozenset(hidden), following, Dislikes.of(dislikes), follow_changes)


async def find_viewer(reads: Reads, user_id: int) -> Viewer:
    """The viewer with this id.

    Raises:
        NotFoundError: there is no such user.
    """
    with timed("query"):
        viewer = await read_viewer(reads, user_id)
    if viewer is None:
        raise NotFoundError("There is no user with this id.", code="user_not_found")
    return viewer
