"""Celebrities: accounts with too many followers to deliver posts to. Their followers pull the posts instead."""

from dataclasses import dataclass

import structlog

from ingestion.deliveries import deliver_latest
from ingestion.followers import followers_of
from photofeed.database import Database
from photofeed.timelines import TimelineWriter

log = structlog.get_logger(__name__)

# An account becomes a celebrity at `followers`, and stops being one below this share of it. The gap keeps an account
# near the threshold from changing with every follower.
HYSTERESIS = 0.9

_STATE = "select follower_count, pulled from users where id = %s"
_SET_PULLED = "update users set pulled = %s where id = %s and pulled <> %s"


@dataclass(slots=True)
class Celebrities:
    """Keeps the flag `users.pulled`, so that every post is either delivered or pulled. The feed reads the flag.

    When an account becomes a celebrity, the flag is set before a post is left undelivered. Posts delivered before stay
    in timelines and are also pulled; duplicates count once. When it stops being one, its latest posts are delivered to
    all followers, the flag is cleared, and they are delivered again: another worker may have left a post undelivered
    just before the flag was cleared.
    """

    database: Database
    timelines: TimelineWriter
    followers: int

    def pulled(self, author_id: int) -> bool:
        """Whether an author's posts are pulled instead of delivered. Updates the flag if the threshold was crossed."""
        with self.database.connection() as connection:
            row = connection.execute(_STATE, (author_id,)).fetchone()
        if row is None:
            return False
        if row["follower_count"] >= self.followers:
            self._set(author_id, pulled=True)
            return True
        if row["pulled"] and row["follower_count"] < self.followers * HYSTERESIS:
            self._demote(author_id)
            return False
        return bool(row["pulled"])

    def _demote(self, author_id: int) -> None:
        self._deliver(author_id)
        self._set(author_id, pulled=False)
        self._deliver(author_id)
        log.info("account is no longer a celebrity", user_id=author_id)

    def _deliver(self, author_id: int) -> None:
        for follower_id in followers_of(self.database, author_id):
            deliver_latest(self.database, self.timelines, follower_id, author_id)

    def _set(self, author_id: int, *, pulled: bool) -> None:
        with self.database.connection() as connection:
            connection.execute(_SET_PULLED, (pulled, author_id, pulled))
