"""Removed photos leave the CDN too."""

from collections.abc import Sequence
from dataclasses import dataclass

from photofeed.cdn import PurgeCdn
from photofeed.events import Envelope
from photofeed.posts import PublishedPost


@dataclass(frozen=True, slots=True)
class Purge:
    """Purges what `photo.removed` names; a worker of its own, so that a CDN that is down delays no timeline."""

    cdn: PurgeCdn

    def handle(self, envelopes: Sequence[Envelope]) -> None:
        """Purge each removed photo; every message may come again."""
        for envelope in envelopes:
            if envelope.type == "photo.removed":
                self.cdn.purge(PublishedPost.from_payload(envelope.payload).ref.post_id)
