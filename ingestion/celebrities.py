"""Which accounts are celebrities: too many followers to deliver to, so their followers pull their posts."""

from dataclasses import dataclass

import structlog

from photofeed.database import Database
from photofeed.timelines import TimelineWriter

log = structlog.get_logger(__name__)

# An account becomes a celebrity at `followers` and is none any more below this share of it: one that wavers around the
# line does not change sides with every follower.
STAYS_DOWN_TO = 0.9

_STANDING = "select follower_count, pulled from users where id = %s"
_SET_PULLED = "update users set pulled = %s where id = %s and pulled <> %s"
_FOLLOWERS = "select follower_id from follows where followee_id = %s"


@dataclass(slots=True)
class Celebrities:
    """Keeps `users.pulled`, which the feed reads beside the number of followers, so that nothing falls between.

    Up: the flag is set before the first post is left undelivered. What was delivered before stays where it is, and is
    found twice, which counts once. Down: the latest posts are delivered to all followers, then the flag falls, then
    they are delivered once more, for a post that somebody left undelivered just before it fell.
    """

    database: Database
    timelines: TimelineWriter
    followers: int

    def pulled(self, author_id: int) -> bool:
        """Whether an author's posts are pulled, not delivered; settles an account that has crossed the line."""
        with self.database.connection() as connection:
            row = connection.execute(_STANDING, (author_id,)).fetchone()
        if row is None:
            return False
        if row["follower_count"] >= self.followers:
            self._set(author_id, pulled=True)
            return True
        if row["pulled"] and row["follower_count"] < self.followers * STAYS_DOWN_TO:
            self._come_down(author_id)
            return False
        return bool(row["pulled"])

    def _come_down(self, author_id: int) -> None:
        self._deliver(author_id)
        self._set(author_id, pulled=False)
        self._deliver(author_id)
        log.info("an account is delivered again", user_id=author_id)

    def _deliver(self, author_id: int) -> None:
        with self.database.connection() as connection:
            followers = [row["follower_id"] for row in connection.execute(_FOLLOWERS, (author_id,))]
        for follower_id in followers:
            self.timelines.follow(follower_id, author_id)

    def _set(self, author_id: int, *, pulled: bool) -> None:
        with self.database.connection() as connection:
            connection.execute(_SET_PULLED, (pulled, author_id, pulled))
