"""Fan-out on write: delivers ready posts to followers' timelines, and updates timelines after changes of follows."""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from prometheus_client import Counter

from ingestion.celebrities import Celebrities
from ingestion.deliveries import deliver_latest, deliver_post, drop_unconfirmed, is_shown
from ingestion.followers import followers_of
from photofeed.database import Database
from photofeed.errors import PoisonError
from photofeed.events import Envelope
from photofeed.posts import PostRef, PublishedPost
from photofeed.publication import AVATAR_REMOVED, ITEM_DESCRIBED, ref_of
from photofeed.timelines import AUTHOR_LENGTH, TimelineWriter

log = structlog.get_logger(__name__)

DELIVERED = Counter("photofeed_fanout_deliveries", "Timeline entries written")

_FOLLOWS = "select 1 from follows where follower_id = %s and followee_id = %s"
_IS_PUBLIC = "select 1 from users where id = %s and not is_private"
_LATEST = f"""
select id, author_id, topic_id, posted_at, content_type, coalesce(phash, 0) as phash
from posts left join photo_metadata on photo_id = id
where author_id = %s and visible order by id desc limit {AUTHOR_LENGTH}
"""  # noqa: S608  a constant


@dataclass(slots=True)
class Fanout:
    """Writes timelines. Posts of celebrities are not delivered: their followers pull them with each feed request.

    A message about follows or privacy only says that they changed. Their current state is read from PostgreSQL, so a
    message that is delivered again late does not restore an old state. What was written is compared with PostgreSQL
    afterwards (ingestion/deliveries.py).
    """

    database: Database
    timelines: TimelineWriter
    celebrities: Celebrities

    def handle(self, envelopes: Sequence[Envelope]) -> None:
        """Apply each message in order. Every message may be delivered again."""
        for envelope in envelopes:
            match envelope.type:
                case "photo.processed":
                    self._publish(PublishedPost.from_payload(envelope.payload))
                case "photo.removed":
                    self._remove(PublishedPost.from_payload(envelope.payload).ref)
                case "followed" | "unfollowed":
                    self._change_graph(envelope)
                case "made_private" | "made_public":
                    self._change_privacy(envelope)
                case _ if envelope.type in (AVATAR_REMOVED, ITEM_DESCRIBED):  # no timeline shows them
                    continue
                case other:
                    raise PoisonError(f"fan-out does not know messages of type {other!r}")

    def _publish(self, post: PublishedPost) -> None:
        if not is_shown(self.database, post.ref.post_id):  # a late message of a deleted post
            return
        self.timelines.add_to_author(post.ref, public=post.public and self._is_public(post.ref.author_id))
        if not self.celebrities.pulled(post.ref.author_id):
            followers = followers_of(self.database, post.ref.author_id)
            deliver_post(self.database, self.timelines, post.ref, followers)
            DELIVERED.inc(len(followers))
        if not is_shown(self.database, post.ref.post_id):
            self._remove(post.ref)

    def _remove(self, post: PostRef) -> None:
        self.timelines.remove(post, followers_of(self.database, post.author_id))

    def _change_graph(self, envelope: Envelope) -> None:
        try:
            follower_id, followee_id = int(envelope.payload["userId"]), int(envelope.payload["followeeId"])
        except (KeyError, TypeError, ValueError) as error:
            raise PoisonError(f"not a change of the graph: {error!r}") from error
        with self.database.connection() as connection:
            follows = connection.execute(_FOLLOWS, (follower_id, followee_id)).fetchone()
        if follows is None:
            self.timelines.unfollow(follower_id, followee_id)
            self.celebrities.pulled(followee_id)  # updates the flag of an account that fell below the threshold
        elif self.celebrities.pulled(followee_id):
            drop_unconfirmed(self.database, self.timelines, follower_id, followee_id)
        else:
            deliver_latest(self.database, self.timelines, follower_id, followee_id)

    def _change_privacy(self, envelope: Envelope) -> None:
        """Remove an account's posts from the pools of explore, or add them, by its current privacy.

        Timelines of followers are not changed.
        """
        try:
            user_id = int(envelope.payload["userId"])
        except (KeyError, TypeError, ValueError) as error:
            raise PoisonError(f"not a change of privacy: {error!r}") from error
        with self.database.connection() as connection:
            posts = [ref_of(row) for row in connection.execute(_LATEST.encode(), (user_id,))]
        if self._is_public(user_id):
            for post in posts:
                self.timelines.add_to_author(post, public=True)
                if not is_shown(self.database, post.post_id):
                    self._remove(post)
        if not self._is_public(user_id):
            self.timelines.keep_from_strangers(posts)

    def _is_public(self, user_id: int) -> bool:
        return self._finds(_IS_PUBLIC, user_id)

    def _finds(self, query: str, user_id: int) -> bool:
        with self.database.connection() as connection:
            return connection.execute(query.encode(), (user_id,)).fetchone() is not None
