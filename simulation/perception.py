"""Turns a post as the API returns it into the features that simulated tastes depend on."""

import re
from collections.abc import Mapping
from datetime import datetime

from simulation.behaviour import FOLLOWING, PostView, Slate
from simulation.journal import UploadedPhoto
from simulation.people import Population, appeal
from simulation.replies import Feed, FeedItem, Photo

_UNKNOWN_BRIGHTNESS = 0.5
_LUMA = (0.2126, 0.7152, 0.0722)  # Rec. 709


class Perception:
    """Maps author ids to people of the population, and posts to their views."""

    def __init__(self, population: Population, people: Mapping[int, str]) -> None:
        self._population = population
        self._people = people
        self._creators = {people[index]: index for index in range(len(population.creators))}

    def of_upload(self, uploaded: UploadedPhoto, photo: Photo) -> PostView:
        """A photo of this world, without any person's own state."""
        return self._view(
            post_id=uploaded.id,
            author_id=self._people[uploaded.owner],
            caption=uploaded.caption,
            topic=uploaded.topic,
            is_reel=uploaded.is_reel,
            color=photo.dominant_color,
            size=(photo.width, photo.height),
            posted_at=uploaded.created_at,
        )

    def of_feed(self, feed: Feed) -> Slate:
        """A page of a person's feed."""
        return Slate(feed.slate_id, [self._of_feed_item(item) for item in feed.items])

    def _of_feed_item(self, item: FeedItem) -> PostView:
        """A post in a person's feed, by an author of this world or of none."""
        return self._view(
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
            receipt=item.receipt,
        )

    def _view(
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
        source: str = FOLLOWING,
        liked: bool = False,
        saved: bool = False,
        followed: bool = False,
        receipt: str = "",
    ) -> PostView:
        creator = self._creators.get(author_id)
        handle = "" if creator is None else self._population.people[creator].handle
        return PostView(
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
            receipt=receipt,
        )


def _brightness(color: str) -> float:
    """Relative luma 0..1 of an `#rrggbb` colour, or _UNKNOWN_BRIGHTNESS if there is none."""
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", color):
        return _UNKNOWN_BRIGHTNESS
    return sum(weight * value for weight, value in zip(_LUMA, bytes.fromhex(color[1:]), strict=True)) / 255
