"""Fan-out on write: a post that became ready goes to its author's followers; changes of the graph repair timelines."""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from prometheus_client import Counter

from photofeed.database import Database
from photofeed.errors import PoisonError
from photofeed.events import Envelope
from photofeed.posts import PublishedPost
from photofeed.timelines import TimelineWriter

log = structlog.get_logger(__name__)

DELIVERED = Counter("photofeed_fanout_deliveries", "Timeline entries written")

_FOLLOWERS = "select follower_id from follows where followee_id = %s"
_FOLLOWER_COUNT = "select follower_count from users where id = %s"


@dataclass(slots=True)
class Fanout:
    """Writes timelines. Posts of celebrities are not delivered: their followers pull them when they look."""

    database: Database
    timelines: TimelineWriter
    celebrity_followers: int

    def handle(self, envelopes: Sequence[Envelope]) -> None:
        """Apply each message in turn; every one may come again."""
        for envelope in envelopes:
            match envelope.type:
                case "photo.processed":
                    self._publish(PublishedPost.from_payload(envelope.payload))
                case "photo.removed":
                    self._remove(PublishedPost.from_payload(envelope.payload))
                case "followed" | "unfollowed":
                    self._change_graph(envelope)
                case other:
                    raise PoisonError(f"fan-out does not know messages of type {other!r}")

    def _publish(self, post: PublishedPost) -> None:
        self.timelines.add_to_author(post.ref, public=post.public)
        if self._is_celebrity(post.ref.author_id):
            return
        followers = self._followers(post.ref.author_id)
        self.timelines.add_to_followers(post.ref, followers)
        DELIVERED.inc(len(followers))

    def _remove(self, post: PublishedPost) -> None:
        self.timelines.remove(post.ref, self._followers(post.ref.author_id))

    def _change_graph(self, envelope: Envelope) -> None:
        try:
            follower_id, followee_id = int(envelope.payload["userId"]), int(envelope.payload["followeeId"])
        except (KeyError, TypeError, ValueError) as error:
            raise PoisonError(f"not a change of the graph: {error!r}") from error
        if envelope.type == "unfollowed":
            self.timelines.unfollow(follower_id, followee_id)
        elif not self._is_celebrity(followee_id):
            self.timelines.follow(follower_id, followee_id)

    def _is_celebrity(self, user_id: int) -> bool:
        with self.database.connection() as connection:
            row = connection.execute(_FOLLOWER_COUNT, (user_id,)).fetchone()
        return row is not None and row["follower_count"] >= self.celebrity_followers

    def _followers(self, user_id: int) -> list[int]:
        with self.database.connection() as connection:
            return [row["follower_id"] for row in connection.execute(_FOLLOWERS, (user_id,))]
