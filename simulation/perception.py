"""What a simulated person makes of a post: from what the API shows of it, to what their tastes are about."""

import re
from collections.abc import Mapping
from datetime import datetime

from simulation.behaviour import SeenPost
from simulation.journal import UploadedPhoto
from simulation.people import Population, appeal
from simulation.replies import FeedItem, Photo

_MIDDLE = 0.5
_LUMA = (0.2126, 0.7152, 0.0722)  # Rec. 709


class Perception:
    """Knows everybody by id, and so whose a post is."""

    def __init__(self, population: Population, people: Mapping[int, str]) -> None:
        self._population = population
        self._people = people
        self._creators = {people[index]: index for index in range(len(population.creators))}

    def of_upload(self, uploaded: UploadedPhoto, photo: Photo) -> SeenPost:
        """A photo of this world, seen by nobody in particular."""
        return self._see(
            post_id=uploaded.id,
            author_id=self._people[uploaded.owner],
            caption=uploaded.caption,
            topic=uploaded.topic,
            is_reel=uploaded.is_reel,
            color=photo.dominant_color,
            size=(photo.width, photo.height),
            posted_at=uploaded.created_at,
        )

    def of_feed_item(self, item: FeedItem) -> SeenPost:
        """A post as it stands in somebody's feed; it may be of this world or not."""
        return self._see(
            post_id=item.post_id,
            author_id=item.author_id,
            caption=item.caption,
            topic=item.topic,
            is_reel=item.content_type == "reel",
            color=item.dominant_color,
            size=(item.width, item.height),
            posted_at=item.posted_at,
            source=item.source,
            liked=item.liked,
            saved=item.saved,
            followed=item.author_followed,
        )

    def _see(
        self,
        *,
        post_id: str,
        author_id: str,
        caption: str,
        topic: str,
        is_reel: bool,
        color: str,
        size: tuple[int, int],
        posted_at: datetime,
        source: str = "following",
        liked: bool = False,
        saved: bool = False,
        followed: bool = False,
    ) -> SeenPost:
        creator = self._creators.get(author_id)
        handle = "" if creator is None else self._population.people[creator].handle
        return SeenPost(
            id=post_id,
            author_id=author_id,
            creator=creator,
            topic=self._population.topic_index(topic),
            topic_name=topic,
            appeal=0.0 if creator is None else appeal(self._population.creators[creator], handle, caption),
            is_reel=is_reel,
            brightness=_brightness(color),
            aspect=size[0] / size[1] if all(size) else 1.0,
            posted_at=posted_at,
            source=source,
            liked=liked,
            saved=saved,
            followed=followed,
        )


def _brightness(color: str) -> float:
    """Relative luma 0..1 of an `#rrggbb` colour; the middle where there is none."""
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", color):
        return _MIDDLE
    return sum(weight * value for weight, value in zip(_LUMA, bytes.fromhex(color[1:]), strict=True)) / 255
