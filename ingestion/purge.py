"""Purges from the CDN: removed photos, and images of accounts whose viewers change."""

from collections.abc import Sequence
from dataclasses import dataclass

from ingestion.cdn import PurgeCdn
from photofeed import publication
from photofeed.errors import PoisonError
from photofeed.events import Envelope
from photofeed.ids import encode_id
from photofeed.posts import PublishedPost


@dataclass(frozen=True, slots=True)
class Purge:
    """Purges on messages about photos and follows. It has a worker of its own: a CDN that is down delays no timeline.

    Signed addresses of an account are purged when somebody no longer follows it, so that the origin checks who may see
    them. Addresses without a signature are purged when the account becomes private.
    """

    cdn: PurgeCdn

    def handle(self, envelopes: Sequence[Envelope]) -> None:
        """Purge what each message is about. Every message may be delivered again."""
        for envelope in envelopes:
            match envelope.type:
                case "photo.removed":
                    self.cdn.purge(PublishedPost.from_payload(envelope.payload).ref.post_id)
                case publication.AVATAR_REMOVED:
                    self.cdn.purge(_id(envelope, "photoId"))
                case "unfollowed":
                    self.cdn.purge_tag(f"private-{encode_id(_id(envelope, 'followeeId'))}")
                case "made_private":
                    self.cdn.purge_tag(f"author-{encode_id(_id(envelope, 'userId'))}")


def _id(envelope: Envelope, name: str) -> int:
    try:
        return int(envelope.payload[name])
    except (KeyError, TypeError, ValueError) as error:
        raise PoisonError(f"not a message about a photo, follow or privacy: {error!r}") from error
